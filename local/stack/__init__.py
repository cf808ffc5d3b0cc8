"""Starts everything that Moor needs on one machine: Azurite, the simulated Azure and the local Functions host."""
