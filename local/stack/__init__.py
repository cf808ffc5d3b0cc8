"""Starts everything that Moor needs on one machine: Azurite, the simulated Azure and the local Functions host."""

from local.stack.processes import StackError
from local.stack.stack import Options, Stack, running_stack

__all__ = ["Options", "Stack", "StackError", "running_stack"]
