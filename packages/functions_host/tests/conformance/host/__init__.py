"""The HTTP edge, Event Grid and timers held against what was recorded of Microsoft's host."""
