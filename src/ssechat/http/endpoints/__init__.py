"""The endpoints, one file per resource. An endpoint parses the request, calls the domain and returns a response."""
