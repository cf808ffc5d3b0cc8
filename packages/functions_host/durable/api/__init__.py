"""What clients of the engine use: the durable client, the management API, the RPC listener."""
