"""The Durable Functions engine of the local host: the JSON protocol of azure-functions-durable 1.7, as extension 3.19.0 speaks it."""
