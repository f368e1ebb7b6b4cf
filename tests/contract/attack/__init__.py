"""Schemathesis attacks two workers by their own OpenAPI document: `python -m tests.contract.attack`."""
