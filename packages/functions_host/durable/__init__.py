"""The Durable Functions engine of the local host: speaks to azure-functions-durable 1.7 as extension 3.19.0 does."""
