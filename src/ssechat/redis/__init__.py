"""How the server talks to Redis: connections, keys, batches, subscriptions, and its own redis-server."""
