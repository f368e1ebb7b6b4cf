"""Event streams: which streams are open, and up to which event each has been written."""
