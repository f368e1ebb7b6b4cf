"""How the server runs: its processes, its sockets, and its way with a connection."""
