"""A simulated Azure on one machine: ARM, Azure ML, AKS, Arc, extensions, RBAC, identity and Event Grid.

It is a separate process that any Azure client can use and knows nothing about who calls it. See README.md.
"""
