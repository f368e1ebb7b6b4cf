"""Common SSE clients, each used as its documentation shows, while the server is disturbed.

    python -m tests.clients

prints what each of them lost, had twice or had out of order. A client is a program that writes a line for each event
named `message`: its name, a tab and the event's data.
"""
