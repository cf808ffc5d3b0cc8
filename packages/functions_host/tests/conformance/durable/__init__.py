"""The Durable engine, the SDK and the HTTP API held against what was recorded of Microsoft's extension."""
