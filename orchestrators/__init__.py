"""Durable workflows. Deterministic: no I/O, clock, random, environment or module state."""
