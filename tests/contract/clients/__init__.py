"""Clients that are made of the contract at test time, compiled, and let talk with a server."""
