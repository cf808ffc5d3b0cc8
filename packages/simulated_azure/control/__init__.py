"""What a driver does that no Azure client can: the control API, and its client."""
