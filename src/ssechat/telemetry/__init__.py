"""The server's metrics and its log."""
