"""A local stand-in for the Azure Functions host: serves any Python v2-model function app on 127.0.0.1."""
