"""A client of one user: messages, conversations, and the stream of events."""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from ssechat.client.calls import ANOTHER_FORM, SAFE_TO_REPEAT, Calls
from ssechat.client.errors import ClientError
from ssechat.client.groups import Groups
from ssechat.client.pages import pages
from ssechat.client.pauses import Pauses
from ssechat.client.stream import Event, EventStream
from ssechat.client.transport import Transport, path
from ssechat.ids import UserId, user_id


class Client:
    """A client of one user at one server.

    `credential` returns a bearer token. It is called for each request, so that it may mint a fresh token. `note` is
    called with a sentence for the user at each retry and reconnect. The other parameters are for tests.

    Whatever asks the server retries for at most `patience` seconds while the server is unavailable, and raises
    ClientError if the server refuses, or did not confirm within that time.
    """

    def __init__(
        self,
        server: str,
        credential: Callable[[], str],
        *,
        note: Callable[[str], None] = lambda text: None,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        Raises:
            SettingsError: `server` is not an http or https address, or the environment names a proxy or a certificate
                file that cannot be used.
        """
        self._transport = Transport(server, credential, transport)
        self._pauses = Pauses(note, sleep, clock, chance)
        self._calls = Calls(self._transport, self._pauses)
        self._patience = patience
        self.groups = Groups(self._calls, patience)
        """What can be done with groups."""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self._transport.close()

    def user(self) -> UserId:
        """The id of the user that the credential names."""
        named = user_id(str(self._calls.ask("GET", "/v1/session", patience=self._patience).get("user", "")))
        if named is None:
            raise ClientError(ANOTHER_FORM)
        return named

    def conversations(self) -> Iterator[Mapping[str, Any]]:
        """Yields the user's conversations, the one with the newest event first."""
        return pages(self._calls, "/v1/conversations", "conversations", "before", self._patience)

    def conversation(self, conversation: str, *, timeout: float) -> Mapping[str, Any]:
        """One conversation as it stands, asked for once, for at most `timeout` seconds."""
        return self._calls.ask_once(path("v1", "conversations", conversation), timeout=timeout)

    def send(
        self,
        to: str,
        text: str,
        *,
        client_msg_id: str | None = None,
        reply_to: int | None = None,
        mentions: Sequence[str] = (),
        patience: float | None = None,
    ) -> Mapping[str, Any]:
        """Sends a text to a user, or to a conversation if `to` has a colon, and returns the message.

        All attempts have the same `client_msg_id`: the message is sent once, however many attempts there are.
        """
        client_msg_id = client_msg_id or uuid.uuid4().hex
        body: dict[str, Any] = {"conversation_id": to} if ":" in to else {"to": to}
        body |= {"text": text, "client_msg_id": client_msg_id}
        if reply_to is not None:
            body["reply_to"] = reply_to
        if mentions:
            body["mentions"] = list(mentions)
        return self._calls.ask(
            "POST",
            "/v1/messages",
            body=body,
            patience=self._patience if patience is None else patience,
            advice=(
                "The message may have been sent: to retry without sending it twice, add "
                f"--client-msg-id {client_msg_id}"
            ),
        )

    def edit(self, conversation: str, seq: int, text: str) -> Mapping[str, Any]:
        """Replaces the text of a message of one's own, and returns the message."""
        return self._change("PATCH", self._message(conversation, seq), {"text": text})

    def delete(self, conversation: str, seq: int) -> Mapping[str, Any]:
        """Deletes a message, and returns what is left of it."""
        return self._change("DELETE", self._message(conversation, seq))

    def react(self, conversation: str, seq: int, emoji: str) -> Mapping[str, Any]:
        """Adds a reaction to a message, and returns the message."""
        return self._change("PUT", self._message(conversation, seq) + path("reactions", emoji), {})

    def take_back(self, conversation: str, seq: int, emoji: str) -> Mapping[str, Any]:
        """Takes one's reaction to a message away, and returns the message."""
        return self._change("DELETE", self._message(conversation, seq) + path("reactions", emoji))

    def listen(self, since: str | None = None) -> Iterator[Event]:
        """Yields events for ever, each once and in order, over any number of connections.

        `since` is the id of the last event that the caller has, `0-0` for all stored events; by default only new
        events are yielded.

        Raises:
            ClientError: the server refused the stream for good: the token is not valid, or it is not a chat server.
        """
        return EventStream(self._transport, self._pauses, since).events()

    @staticmethod
    def _message(conversation: str, seq: int) -> str:
        return path("v1", "conversations", conversation, "messages", seq)

    def _change(self, method: str, where: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        return self._calls.ask(method, where, body=body, patience=self._patience, advice=SAFE_TO_REPEAT)
