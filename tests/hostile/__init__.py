"""Hostile texts in every place that Moor reads: all of them (``python -m tests.hostile``), or a sample in the suite."""
