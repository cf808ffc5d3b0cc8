"""The worker: a process of its own that runs an app on Microsoft's worker library, azure-functions-runtime.

It is started by the host (``python -m packages.functions_host.worker``), imports nothing of the host's half, and talks
with it over one socket that it has inherited.
"""
