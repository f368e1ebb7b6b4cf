"""Holds what the tests see against the contract: every answer and event must be in it, and all of it must be seen.

`watch.py` watches the tests' HTTP clients, `checker.py` validates what it sees against the OpenAPI document, and
`python -m tests.contract` says what of the document no test saw.
"""
