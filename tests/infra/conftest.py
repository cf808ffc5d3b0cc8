"""The simulated Azure on which the shipped roles are made."""

from packages.simulated_azure.tests.conftest import azure, examples, running, settings_only

__all__ = ["azure", "examples", "running", "settings_only"]
