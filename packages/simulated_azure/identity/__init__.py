"""Managed identity: tokens, the endpoint that issues them, and the metadata by which clients find the cloud."""
