"""Streams of events: who listens, and what each has been sent."""
