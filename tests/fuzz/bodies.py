"""Well-formed HTTP requests with invalid bodies, fields, queries and ids."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from .attack import Attack, Maker, Request, whole
from .words import FIELDS, FORGED

TEXTS = (
    "", " ", "\t\n", "\x00", "a\x00b", "\x1b[31m" + FORGED, "\u202e" + "gnp", "\u2028\u2029", "\x85", "e\u0301" * 50,
    "\ufeff",
    "\U0001f600" * 10, "\ud800", "\udfff\ud800", "\uffff", "a" * 128, "a" * 129, "a" * 400, "a" * 401, "a" * 60000,
    "x" * 65536,
    "data: x\n\nid: 9-9\nevent: bye\n\n", "</script>", "\r\n\r\n", "\u0130", "\u1e9e", "ß", "ﬁ", "Ⅷ", "\u3000",
    "\u200b", "null", "0",
)  # fmt: skip

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**53, 2**64, 10**400, [], {}, [[]], {"": {}}, "", "x", [None] * 100, {"a": "b"},
    *TEXTS,
)  # fmt: skip

NAMES = (
    "fuzz1", "FUZZ1", "fuzz1 ", " fuzz1", "nobody-at-all", "fuzz1\n", "fuzz1\x00", "ﬀuzz1", "fuzz１", "fuzz1\u0301",
    "\u212a",
    "_", "-x", ".x", "@", "a" * 128, "a" * 129, "a|b", "a:b", "a/b", "a%2fb", "{}", "*", "u:*", "dm:a:b", "..", "",
    "fuzz1:fuzz2",
)  # fmt: skip

CONVERSATIONS = (
    "dm:fuzz1:fuzz2", "dm:fuzz2:fuzz1", "dm:fuzz1:fuzz1", "dm:fuzz1", "dm:", "dm::", "dm:::", "g:x", "g:", ":", "",
    "dm:fuzz1:fuzz2:x",
    "DM:fuzz1:fuzz2", "dm:fuzz1:FUZZ2", "dm:a/b:c", "dm:fuzz1:fuzz2\n", "dm:\x00:x", "*", "..", ".",
    "dm:fuzz1:nobody", "x" * 400,
    "x" * 401, "dm:fuzz1:" + "a" * 128, "dm:\u202e:x", "{c1}", "dm:fuzz1:fuzz2/messages/1", "dm%3afuzz1%3afuzz2",
    "%00", "%",
)  # fmt: skip

NUMBERS = (
    "0", "1", "-1", "200", "201", "", " 1", "1 ", "+1", "01", "1.0", "1e3", "0x1", "x", "9007199254740991",
    "9007199254740992",
    "9" * 5000, "1_0", "١", "\u0661", "true", "null", "NaN", "inf", "1,2", "%00", "-0", "½", "\x00", "1;drop",
)  # fmt: skip

QUERY_NAMES = (
    "before",
    "after",
    "limit",
    "around",
    "x",
    "",
    "limit[]",
    "LIMIT",
    "ticket",
    "last_event_id",
    "lastEventId",
    "before\x00",
)

RAW_BODIES: tuple[bytes, ...] = (
    b"", b" ", b"\x00", b"{", b"}", b"[]", b"null", b'"x"', b"1", b"nul", b"{}{}", b"{} x",
    b'{"to":"fuzz1","text":"x"', b"\xff",
    b"\xef\xbb\xbf{}", '{"to":"fuzz1","text":"x"}'.encode("utf-16"), '{"to":"fuzz1","text":"x"}'.encode("utf-32"),
    b'\xef\xbb\xbf{"to":"fuzz1","text":"x"}', b'{"to":"fuzz1","text":"\xff"}', b'{"to":"fuzz1","text":"\xed\xa0\x80"}',
    b'{"to":"fuzz1","text":"\xc0\x80"}', b'{"to":"fuzz1","text":"\\ud800"}', b'{"to":"fuzz1","text":"\\u0000"}',
    b'{"to":"\\ud800","text":"x"}', b'{"to":"fuzz1","text":"x","\\ud800":1}',
    b'{"to":"fuzz1","text":"x","client_msg_id":"\\ud800"}',
    b'{"to":"fuzz1","to":"fuzz2","text":"x"}', b'{"to":"fuzz1","text":"x","text":1}', b'{"to":"fuzz1","text":NaN}',
    b'{"to":"fuzz1","text":1e400}', b'{"to":"fuzz1","text":-Infinity}', b'{"to":"fuzz1","text":' + b"1" * 5000 + b"}",
    b'{"to":"fuzz1","text":1e99999999999}', b'{"to":"fuzz1","text":"x",}', b"{'to':'fuzz1'}",
    b'{"to":"fuzz1","text":"\x01"}',
    b'{"to":"fuzz1","text":"\n"}', b'{"to":"fuzz1","text":"\\x"}', b'{"to":"fuzz1","text":"\\u12"}', b"[" * 30000,
    b'{"a":' * 12000,
    b"[" * 60000 + b"]" * 5000, b'{"to":' + b"[" * 30000 + b"]" * 30000 + b"}", b'{"text":' * 5000 + b"1" + b"}" * 5000,
    b"{" + b",".join(b'"k%d":1' % number for number in range(5000)) + b"}", b'{"' + b"k" * 60000 + b'":1}',
    b"/*x*/{}", b"{}\x00",
    b'{"to":"fuzz1","text":"x"}' + b" " * 65000, b"x" * 65537, b"[" * 100000, b"--x\r\n\r\n", b"a=b",
    b"\x1f\x8b\x08\x00",
)  # fmt: skip

WRITES = (b"/v1/messages", b"/v1/tickets", b"/v1/users", b"/v1/session", b"/v1/ack", b"/v1/conversations")

CHEAP = (b"/v1/messages", b"/v1/tickets")
"""The paths that hash no password."""


def raw_bodies(make: Maker) -> Attack:
    """Bodies that are not JSON, or odd JSON."""
    body = make.pick(RAW_BODIES)
    return whole("api.body", make.post(make.pick(WRITES), body, make.bearer()), make.last())


def json_of(value: Any) -> bytes:
    """JSON, and be it not valid."""
    # A lone surrogate is sent escaped, or as bytes that are not UTF-8.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def fields(make: Maker) -> Attack:
    """JSON objects with wrong values, additional fields and missing fields."""
    body: dict[str, Any] = {"to": make.user(), "text": "x"}
    if make.dice.random() < 0.4:
        body = {"conversation_id": make.dice.choice(CONVERSATIONS), "text": "x"}
    names = (
        "to",
        "conversation_id",
        "text",
        "client_msg_id",
        "reply_to",
        "mentions",
        "data",
        "",
        "__proto__",
        "to\x00",
    )
    for _ in range(make.dice.randrange(1, 4)):
        name = make.dice.choice(names)
        kind = make.dice.randrange(3)
        if kind == 0:
            body.pop(name, None)
        elif kind == 1:
            body[name] = make.dice.choice(VALUES)
        else:
            body[name] = make.dice.choice(NAMES + TEXTS)
    written = json_of(body) if make.dice.random() < 0.7 else json.dumps(body).encode()
    return whole("api.field", make.post(b"/v1/messages", written, make.bearer()), make.last())


def accounts(make: Maker) -> Attack:
    """Sign-up and sign-in with odd names and passwords, few of which get hashed."""
    target = make.pick((b"/v1/users", b"/v1/session"))
    body: dict[str, Any] = {
        "name": make.dice.choice(NAMES),
        "password": make.dice.choice(("", "x" * 7, "x" * 1025, "\x00", 1, None)),
    }
    if make.dice.random() < 0.4:
        body[make.dice.choice(("name", "password", "x"))] = make.dice.choice(VALUES)
    if make.dice.random() < 0.02:
        body = {"name": f"guest{make.number}", "password": "x" * 8 + make.dice.choice(TEXTS[:16])}
    lines = [b"X-Forwarded-For: " + make.pick(FIELDS[b"X-Forwarded-For"])]
    return whole("api.account", make.post(target, json_of(body), *lines), make.last())


def guesses(make: Maker) -> Attack:
    """Wrong passwords, with invalid forwarded addresses."""
    body = json_of({"name": make.dice.choice(NAMES), "password": "wrong"})
    address = b"X-Forwarded-For: " + make.pick(FIELDS[b"X-Forwarded-For"])
    return whole("api.guess", make.post(b"/v1/session", body, address), make.last())


def queries(make: Maker) -> Attack:
    """Odd, repeated or unknown parameters."""
    pairs = [
        (make.dice.choice(QUERY_NAMES), make.dice.choice(NUMBERS)) for _ in range(make.dice.choice((1, 1, 2, 3, 300)))
    ]
    spelled = make.dice.choice((quote, str, lambda text: quote(text, safe="")))
    query = "&".join(f"{spelled(name)}={spelled(value)}" for name, value in pairs)
    path = make.pick((b"/v1/conversations", b"/v1/conversations/dm:fuzz1:fuzz2/messages", b"/v1/events", b"/v1/server"))
    owner = b"Authorization: Bearer " + make.world.tokens[1].encode()
    return whole("api.query", make.get(path + b"?" + _in_a_target(query), owner), make.last())


def _in_a_target(text: str) -> bytes:
    return b"".join(b"%%%02x" % byte if byte <= 32 else bytes((byte,)) for byte in text.encode("utf-8", "replace"))


def paths(make: Maker) -> Attack:
    """Ids in paths, percent-encoded in all ways."""
    identity = make.dice.choice(NAMES + CONVERSATIONS)
    kind = make.dice.randrange(4)
    if kind == 0:
        spelled = quote(identity, safe="").encode()
    elif kind == 1:
        spelled = b"".join(b"%%%02X" % byte for byte in identity.encode())
    elif kind == 2:
        spelled = quote(quote(identity, safe=""), safe="").encode()
    else:
        spelled = _in_a_target(identity)
    before, after = make.dice.choice(
        (
            (b"/v1/users/", b""),
            (b"/v1/conversations/", b"/messages"),
            (b"/v1/conversations/", b""),
            (b"/v1/conversations/", b"/messages/1"),
        )
    )
    owner = b"Authorization: Bearer " + make.world.tokens[1].encode()
    method = make.dice.choice((b"GET", b"GET", b"GET", b"DELETE", b"PUT", b"PATCH", b"POST"))
    return whole("api.path", replace(make.get(before + spelled + after, owner), method=method), make.last())


def repeats(make: Maker) -> Attack:
    """One client_msg_id for different messages, in the body and the header."""
    key = make.dice.choice(("x", "same", "x" * 128, "", "\x7f", "ä", "a b", '"q"', "x" * 129))
    user = make.bearer()
    requests: list[Request] = []
    for _ in range(3):
        body: dict[str, Any] = {"to": "fuzz1", "text": make.dice.choice(("one", "two"))}
        line = []
        if make.dice.random() < 0.6:
            body["client_msg_id"] = key
        if make.dice.random() < 0.6:
            line.append(b"Idempotency-Key: " + key.encode())
        requests.append(make.post(b"/v1/messages", json_of(body), user, *line))
    return whole("api.idempotency", *requests, make.last())


def static(make: Maker) -> Attack:
    """Static files, with ranges and conditions."""
    names = [b"Range", b"If-Range", b"If-None-Match", b"If-Modified-Since", b"Accept-Encoding"]
    lines = [name + b": " + make.pick(FIELDS[name]) for name in make.dice.sample(names, k=make.dice.randrange(1, 4))]
    request = make.get(make.pick((b"/", b"/web/index.html", b"/web/client.js", b"/web/", b"/web")), *lines)
    method = make.dice.choice((b"GET", b"GET", b"POST", b"OPTIONS"))
    return whole("api.static", replace(request, method=method), make.last())


def metrics(make: Maker) -> Attack:
    """Requests of scrapers."""
    lines = [b"Accept: " + make.pick(FIELDS[b"Accept"]), b"Accept-Encoding: " + make.pick(FIELDS[b"Accept-Encoding"])]
    query = make.pick((b"", b"?name[]=x", b"?name[]=%ff"))
    return whole("api.metrics", make.get(b"/metrics" + query, *lines), make.last())


ALL: tuple[tuple[int, Callable[[Maker], Attack]], ...] = (
    (4, raw_bodies), (8, fields), (2, accounts), (6, queries), (6, paths), (3, repeats), (3, static), (1, metrics),
)  # fmt: skip
