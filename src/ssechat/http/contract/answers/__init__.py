"""Pydantic models of answers. They say what an answer has; the endpoints write it without them, as most of it is stored
JSON."""
