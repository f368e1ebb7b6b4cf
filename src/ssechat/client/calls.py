"""Requests that are repeated while the server is unavailable."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from ssechat.client.errors import ClientError
from ssechat.client.pauses import FIRST_PAUSE, RETRY_STATUSES, Pauses
from ssechat.client.transport import Transport
from ssechat.problem_details import problem_text, retry_after

ANSWER_SECONDS = 10.0
ANOTHER_FORM = "the server's response has another form; is this the address of an ssechat server?"

SAFE_TO_REPEAT = "It may have been done; the same command again does no harm"
"""The advice for a request that leaves the same state behind, however often it is met."""

# Nothing of the request has left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Calls:
    """Requests whose answer is an object of JSON."""

    def __init__(self, transport: Transport, pauses: Pauses) -> None:
        self._transport = transport
        self._pauses = pauses

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        patience: float = 30.0,
        advice: str = "",
        repeatable: bool = True,
    ) -> Mapping[str, Any]:
        """Returns the answer, which is empty for 204. Retries for at most `patience` seconds.

        `advice` is a sentence for who does not learn whether the request was met. One that is not `repeatable` is
        retried only where the server has certainly not met it.

        Raises:
            ClientError: the server refused the request, or did not confirm it within that time.
        """
        deadline = self._pauses.clock() + patience
        backoff = self._pauses.backoff()
        while True:
            limit = max(0.1, min(ANSWER_SECONDS, deadline - self._pauses.clock()))
            retry_in, unmet = None, False
            try:
                response = self._transport.request(method, path, body=body, query=query, timeout=limit)
            except httpx.RequestError as error:
                reason, unmet = self._transport.unreachable(error), isinstance(error, NOT_SENT)
            else:
                if response.status_code not in RETRY_STATUSES:
                    return _answer(response)
                reason, retry_in, unmet = problem_text(response), retry_after(response), response.status_code == 429
            pause = self._pauses.seconds(FIRST_PAUSE / 2, backoff)
            if retry_in is not None:
                pause = retry_in
            left = deadline - self._pauses.clock()
            if not (repeatable or unmet):
                raise ClientError(f"not confirmed ({reason}). {advice}".strip())
            if pause > left:
                raise ClientError(f"not confirmed within {patience:g} s ({reason}). {advice}".strip())
            self._pauses.note(f"{reason}; retrying in {pause:.1f} s, for another {left:.0f} s at most …")
            self._pauses.sleep(pause)

    def ask_once(self, path: str, *, timeout: float) -> Mapping[str, Any]:
        """Returns the answer to one `GET`, within `timeout` seconds.

        Raises:
            ClientError: there was none, or it was a refusal.
        """
        try:
            return _answer(self._transport.request("GET", path, timeout=timeout))
        except httpx.RequestError as error:
            raise ClientError(self._transport.unreachable(error)) from None


def _answer(response: httpx.Response) -> Mapping[str, Any]:
    """
    Raises:
        ClientError: the response is a refusal, or is not an object.
    """
    if response.status_code == 204:
        return {}
    if response.status_code not in (200, 201):
        raise ClientError.refusal(response)
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise ClientError(ANOTHER_FORM)
    return answer
