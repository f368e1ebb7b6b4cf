"""Requests that are repeated while the server is unavailable."""

import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import httpx

from ssechat.client.attempts import Unavailable, attempt
from ssechat.client.credentials import Credential
from ssechat.client.errors import ClientError, Doubt, NotConfirmed, Refused
from ssechat.client.objects import object_of
from ssechat.client.pauses import FIRST_PAUSE, Pauses
from ssechat.client.transport import Transport

# Seconds within which something of an answer must come, and all of it.
ANSWER_SECONDS = 10.0
LONGEST_ATTEMPT = 60.0
SHORTEST_ATTEMPT = 0.5

Result = TypeVar("Result")


class Calls:
    """Requests of one user."""

    def __init__(
        self,
        transport: Transport,
        credential: Credential,
        pauses: Pauses,
        note: Callable[[str], None],
        patience: float,
    ) -> None:
        """`patience`: seconds for which a request is repeated. `note` is called with a sentence at each repeat."""
        self._transport = transport
        self.credential = credential
        self._pauses = pauses
        self._note = note
        self._patience = patience
        self.in_doubt: tuple[Doubt, str] | None = None
        """What the latest request may have done, and the id to repeat it with, if it was cancelled or interrupted."""

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        if_match: str | None = None,
        patience: float | None = None,
        doubt: Doubt = Doubt.NOTHING,
        repeatable: bool = True,
    ) -> httpx.Response:
        """Returns the answer, which is a success. Retries for at most `patience` seconds.

        `doubt` is what may have been done if no answer comes; the body has the id to repeat it with, if there is one. A
        request that is not `repeatable` is retried only where the server has certainly not met it.

        Raises:
            Refused: the server refused the request.
            NotConfirmed: it did not answer within that time.
            ClientError: no retry would help: its certificate is not trusted, for example.
        """
        headers = {} if if_match is None else {"If-Match": if_match}
        again = str((body or {}).get("client_msg_id") or (body or {}).get("id", ""))
        in_doubt = (doubt, again) if doubt else None
        once = partial(self._attempt, method, path, in_doubt=in_doubt, headers=headers, body=body, query=query)
        try:
            answer = await self.repeat(once, patience, doubt, again, repeatable=repeatable)
        except ClientError:
            self.in_doubt = None
            raise
        self.in_doubt = None
        return answer

    async def _attempt(
        self, method: str, path: str, left: float, in_doubt: tuple[Doubt, str] | None = None, **how: Any
    ) -> httpx.Response:
        """Asks once, for at most `left` seconds; where a session has ended, once more in a new one.

        Raises:
            Unavailable: there was no answer, or one that asks for a retry.
            Refused: the server refused the request.
        """

        async def with_token(token: str | None) -> httpx.Response:
            limits = {"timeout": min(ANSWER_SECONDS, left), "within": min(LONGEST_ATTEMPT, left)}
            self.in_doubt = in_doubt
            return await attempt(self._transport, method, path, token=token, **limits, **how)

        token = await self.credential.token()
        response = await with_token(token)
        if response.status_code == 401 and self.credential.renew(token):
            response = await with_token(await self.credential.token())
        if not response.is_success:
            raise Refused.by(response)
        return response

    async def repeat(
        self,
        once: Callable[[float], Awaitable[Result]],
        patience: float | None = None,
        doubt: Doubt = Doubt.NOTHING,
        again: str = "",
        *,
        repeatable: bool = True,
    ) -> Result:
        """Does something until it is done; `once` gets the seconds that are left. `again` is the id to repeat it with.

        Raises:
            NotConfirmed: it was not done within `patience` seconds.
        """
        patience = self._patience if patience is None else patience
        deadline = self._pauses.clock() + patience
        backoff = self._pauses.backoff()
        met = False
        while True:
            try:
                return await once(max(SHORTEST_ATTEMPT, deadline - self._pauses.clock()))
            except Unavailable as failure:
                certain = repeatable or failure.unmet
                met = met or not failure.unmet
                if not met:
                    self.in_doubt = None
                pause = self._pauses.seconds(FIRST_PAUSE / 2, backoff)
                pause = pause if failure.retry_in is None else failure.retry_in
                left = deadline - self._pauses.clock()
                if pause > left or not certain:
                    within = f" within {patience:g} s" if certain else ""
                    reason = f"not confirmed{within} ({failure.reason})"
                    raise NotConfirmed(reason, doubt if met else Doubt.NOTHING, again, **failure.facts) from None
                still = "" if math.isinf(left) else f", for another {left:.0f} s at most"
                self._note(f"{failure.reason}; retrying in {pause:.1f} s{still} …")
            await self._pauses.sleep(pause)

    async def once(
        self, path: str, *, timeout: float, method: str = "GET", body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Returns the answer to a request that is sent once, within `timeout` seconds.

        Raises:
            ClientError: there was none, or it was a refusal.
        """
        try:
            return await self._attempt(method, path, timeout, body=body)
        except Unavailable as failure:
            raise NotConfirmed(failure.reason, Doubt.NOTHING, **failure.facts) from None

    async def object(self, method: str, path: str, **how: Any) -> Mapping[str, Any]:
        """As `ask`; returns the object that is the answer.

        Raises:
            ClientError: it is none.
        """
        return object_of(await self.ask(method, path, **how))
