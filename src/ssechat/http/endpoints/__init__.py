"""The HTTP API, a file a resource: parse, call, respond."""
