"""Scenarios on Microsoft's own Durable extension: which of them, a sample for every change, and kills."""
