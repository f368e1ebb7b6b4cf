"""What the server tells of itself: its metrics and its log."""
