"""Values and rules, no I/O."""
