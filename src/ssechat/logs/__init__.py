"""The logs in Redis: one per conversation, and the inboxes of users."""
