"""A client of the HTTP API: does what is asked exactly once, and receives every event."""

from ssechat.client.client import Client
from ssechat.client.errors import ClientError
from ssechat.client.stream import Event

__all__ = ["Client", "ClientError", "Event"]
