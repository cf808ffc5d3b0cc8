"""Microsoft's own Durable extension as the engine: a program beside this host that runs the published binaries."""
