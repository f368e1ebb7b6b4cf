"""What was said, in Redis: the logs of conversations and the inboxes of their members."""
