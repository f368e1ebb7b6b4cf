"""People who use the API of an app in this process."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from app_client import sign_up


@dataclass
class Person:
    """Somebody with an account, who sends requests."""

    client: httpx.AsyncClient
    name: str
    headers: dict[str, str]

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """Sends a request below `/v1`. Headers: `if_match="…"` is `If-Match`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        given: dict[str, Any] = {} if body is None else {"json": body}
        return await self.client.request(method, f"/v1{path}", headers={**self.headers, **more}, **given)

    async def done(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """As `ask`, for a request that succeeds; returns what is in the answer's body."""
        answer = await self.ask(method, path, body, **headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def make(self, *members: "Person", **more: Any) -> str:
        """Makes a group, and returns its path."""
        names = [member.name for member in members]
        made = await self.done("POST", "/conversations", {"name": "Lunch", "members": names, **more})
        return f"/conversations/{made['id']}"

    async def say(self, where: str, text: str, **more: Any) -> Any:
        """Sends a message into a conversation (its path), and returns it."""
        body = {"conversation_id": where.removeprefix("/conversations/"), "text": text, **more}
        return await self.done("POST", "/messages", body)

    async def texts(self, where: str, query: str = "") -> list[str | None]:
        """The texts of a conversation's messages that this person sees; None for a tombstone."""
        page = await self.done("GET", f"{where}/messages{query}")
        return [message.get("text") for message in page["messages"]]


async def people(client: httpx.AsyncClient, *names: str) -> list[Person]:
    """Makes accounts."""
    return [Person(client, name, await sign_up(client, name)) for name in names]


def direct(one: Person, other: Person) -> str:
    """The path of a direct conversation."""
    return "/conversations/dm:" + ":".join(sorted((one.name, other.name)))


def reaction(where: str, seq: int, emoji: str) -> str:
    """The path of one's reaction to a message."""
    return f"{where}/messages/{seq}/reactions/{quote(emoji)}"
