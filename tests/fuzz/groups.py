"""Well-formed HTTP requests about groups, messages and reactions, with odd paths, bodies, queries and conditions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from .attack import FIRST_IN_GROUP, Attack, Maker, whole
from .bodies import CONVERSATIONS, NAMES, NUMBERS, RAW_BODIES, TEXTS, VALUES, json_of
from .words import FIELDS

EMOJIS = (
    "👍", "❤", "❤️", "1️⃣", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "👨‍👩‍👧‍👦", "👍👍", "👍🏽",
    "\ufe0f", "\u200d", "🇩", "🇩🇪", ":thumbs_up:", "x", "", "\x00", "\n", "👍" * 200, "👍/", "a:b", "\U0010ffff", "..",
)  # fmt: skip

SECRETS = (
    "", "x", ".", "g:.x", f"g:{'a' * 26}.x", f"g:{'a' * 26}", f"g:{'a' * 26}.", f"g:{'a' * 26}..", "dm:fuzz1:fuzz2.x",
    "G:" + "A" * 26 + ".x", "a" * 200, "a" * 201, "g:" + "a" * 26 + ".\u0130", "\x00", "g:{}.x",
)  # fmt: skip

FIELD_NAMES = (
    "name", "topic", "history", "members", "client_msg_id", "users", "role", "expires_in", "max_uses", "secret", "text",
    "mentions", "data", "reply_to", "conversation_id", "", "__proto__", "version", "deleted", "seq",
)  # fmt: skip

MORE_VALUES: tuple[Any, ...] = (
    ["fuzz1"], ["fuzz1", "FUZZ1", "fuzz2"], ["", "\x00"], list(NAMES), "owner", "Owner", "member", "from_join", "all",
    {"": ""}, {"a": {"b": [1, 2.5, None]}}, {"version": 9, "deleted": True, "seq": 7}, "x" * 128, "ä" * 64, "ä" * 65,
    '","version":99,"deleted":true,"x":"', 2592000, 2592001, 1000, 1001, 9007199254740991, *SECRETS,
)  # fmt: skip

ROUTES: tuple[tuple[bytes, bytes], ...] = (
    (b"POST", b"/v1/conversations"), (b"PATCH", b"{id}"), (b"GET", b"{id}"),
    (b"GET", b"{id}/members"), (b"POST", b"{id}/members"), (b"PUT", b"{id}/members/{user}"),
    (b"DELETE", b"{id}/members/{user}"), (b"POST", b"{id}/invites"), (b"GET", b"{id}/invites"),
    (b"DELETE", b"{id}/invites/{user}"), (b"POST", b"/v1/invites/join"), (b"POST", b"/v1/messages"),
    (b"GET", b"{id}/messages"), (b"GET", b"{id}/messages/{seq}"), (b"PATCH", b"{id}/messages/{seq}"),
    (b"DELETE", b"{id}/messages/{seq}"), (b"GET", b"{id}/messages/{seq}/reactions"),
    (b"PUT", b"{id}/messages/{seq}/reactions/{emoji}"), (b"DELETE", b"{id}/messages/{seq}/reactions/{emoji}"),
)  # fmt: skip
"""But not the one that ends the group."""


def requests(make: Maker) -> Attack:
    """Any route of groups and of messages, with something odd in one or two places."""
    method, path = make.dice.choice(ROUTES)
    group = make.world.group if make.dice.random() < 0.8 else make.dice.choice((*CONVERSATIONS, f"g:{'a' * 26}"))
    target = f"/v1/conversations/{_spelled(make, group)}".encode() if path.startswith(b"{id}") else b""
    target += (
        path.removeprefix(b"{id}")
        .replace(b"{user}", _spelled(make, make.dice.choice(NAMES)).encode())
        .replace(b"{seq}", _spelled(make, make.dice.choice(("1", "2", "3", *NUMBERS))).encode())
        .replace(b"{emoji}", _spelled(make, make.dice.choice(EMOJIS)).encode())
    )
    if make.dice.random() < 0.3:
        names = ("after", "before", "around", "limit", "user", "x")
        pairs = [(make.dice.choice(names), make.dice.choice(NUMBERS + NAMES + EMOJIS)) for _ in range(2)]
        target += b"?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs).encode()
    lines = [_somebody(make)]
    odd = [name for name in (b"If-Match", b"Idempotency-Key") if make.dice.random() < 0.2]
    lines += [name + b": " + make.pick(FIELDS[name]) for name in odd]
    request = make.post(target, _body(make, group), *lines)
    return whole("api.group", replace(request, method=method), make.last())


def _body(make: Maker, group: str) -> bytes:
    if make.dice.random() < 0.1:
        return make.dice.choice((b"", *RAW_BODIES))
    fields: dict[str, Any] = {"text": "x", "conversation_id": group} if make.dice.random() < 0.5 else {}
    for _ in range(make.dice.randrange(1, 4)):
        fields[make.dice.choice(FIELD_NAMES)] = make.dice.choice(VALUES + MORE_VALUES + TEXTS)
    return json_of(fields)


def _somebody(make: Maker) -> bytes:
    """A member of the group, mostly."""
    number = make.dice.choice((FIRST_IN_GROUP, FIRST_IN_GROUP, FIRST_IN_GROUP + 1, 1))
    return b"Authorization: Bearer " + make.world.tokens[number].encode()


def _spelled(make: Maker, text: str) -> str:
    """A part of a path, percent-encoded in one of the ways."""
    kind = make.dice.randrange(3)
    if kind == 0:
        return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
    return quote(text, safe="" if kind == 1 else ":@|+~", errors="surrogatepass")


ALL: tuple[tuple[int, Callable[[Maker], Attack]], ...] = ((14, requests),)
