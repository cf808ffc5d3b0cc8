"""The stack of a developer's machine and of CI: Azurite, simulated Azure, local Functions host. Never deployed."""
