"""What timers do: look at each operation, claim and cluster on its own, and say what could not be looked at."""
