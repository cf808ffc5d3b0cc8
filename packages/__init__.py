"""Programs that stand for Azure on one machine. None of them knows the apps that they serve."""
