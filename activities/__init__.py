"""Activities, one module per system touched. Each does one idempotent thing and returns an outcome."""
