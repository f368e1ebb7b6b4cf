"""What keeps a measurement from being made."""


class BenchError(Exception):
    """The measurement cannot be made, or went wrong; the text says why and what to do."""
