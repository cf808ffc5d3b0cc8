"""The host's end of its workers: one process, the supervisor that replaces it, and the failures it tells of."""
