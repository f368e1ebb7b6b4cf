"""Errors that prevent a measurement."""


class BenchError(Exception):
    """The measurement cannot be made, or went wrong; the text says why and what to do."""
