"""Checks and conversions of strings: blank texts, terminal escapes, origins, networks, validation errors."""
