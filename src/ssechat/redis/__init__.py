"""Access to Redis: connections, keys, batches, subscriptions, and the embedded redis-server."""
