"""Microsoft Entra ID: the keys that it signs with, and the access tokens that callers bring."""
