"""Azure Resource Manager as every provider shares it: front door, routing, long-running operations, faults."""
