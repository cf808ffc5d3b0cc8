"""Serves a Python Azure Functions app on this machine as the Functions host with the Durable extension would."""
