"""HTTP: endpoints, authentication of requests, parsing of bodies, and responses."""
