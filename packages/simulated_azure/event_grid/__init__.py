"""Event Grid: what is announced of writes, to whom, and a custom topic."""
