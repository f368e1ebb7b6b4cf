"""One attempt at a request."""

from typing import Any

import httpx

from ssechat.client.errors import Facts, facts_of
from ssechat.client.pauses import RETRY_STATUSES
from ssechat.client.transport import Transport
from ssechat.problem_details import problem_text

# Nothing of the request has left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Unavailable(Exception):
    """An attempt failed, and another one can succeed."""

    def __init__(self, reason: str, *, unmet: bool, response: httpx.Response | None = None) -> None:
        """`unmet`: the server has certainly not met the request."""
        super().__init__(reason)
        self.reason = reason
        self.unmet = unmet
        self.facts: Facts = {} if response is None else facts_of(response)
        self.retry_in = self.facts.get("retry_after")
        """Seconds after which the server asked to be tried again."""

    @classmethod
    def by(cls, response: httpx.Response) -> "Unavailable":
        """For a response that asks for a retry."""
        return cls(problem_text(response), unmet=response.status_code == 429, response=response)


async def attempt(transport: Transport, method: str, path: str, **how: Any) -> httpx.Response:
    """Sends a request once (`how`: as `Transport.request` has it); returns a response that is no passing failure.

    Raises:
        Unavailable: there was no response, or one that asks for a retry.
        ClientError: no retry would help.
    """
    try:
        response = await transport.request(method, path, **how)
    except httpx.RequestError as error:
        raise Unavailable(transport.unreachable(error), unmet=isinstance(error, NOT_SENT)) from None
    if response.status_code in RETRY_STATUSES:
        raise Unavailable.by(response)
    return response
