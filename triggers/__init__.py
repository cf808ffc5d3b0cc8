"""The edges: HTTP operations API, Event Grid reactions, timers. Parse, authorise, record, start; no calls to ARM."""
