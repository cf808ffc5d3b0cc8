"""The stack of a developer's machine and of CI: Azurite, the simulated Azure, the local Functions host. Never deployed."""
