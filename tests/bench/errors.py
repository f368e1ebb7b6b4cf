"""Errors that prevent a measurement."""


class BenchError(Exception):
    """A measurement failed; the text has the reason and the remedy."""
