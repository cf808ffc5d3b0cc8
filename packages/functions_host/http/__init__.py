"""The HTTP trigger and the edge: routes, requests, results, CORS, throttle, the admin API."""
