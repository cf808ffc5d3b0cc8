"""Event Grid: what is told of writes, to whom, and a custom topic."""
