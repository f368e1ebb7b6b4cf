"""Events: their kinds, their bytes, wake-ups, and what a source of a stream is."""
