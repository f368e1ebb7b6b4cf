"""Damaged, forged, or signed but invalid tokens, cookies and tickets."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .attack import FAR, Attack, Maker, whole
from .bodies import NAMES, TEXTS, VALUES
from .words import FIELDS


def _part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _nested(depth: int) -> bytes:
    return b'{"alg":"HS256","x":' + b"[" * depth + b"]" * depth + b"}"


HEADERS: tuple[Any, ...] = (
    {"alg": "none"}, {"alg": "None", "typ": "JWT"}, {"alg": "HS256"}, {"alg": "HS512"}, {"alg": "RS256"},
    {"alg": ["HS256"]}, {"alg": None},
    {"alg": {}}, {}, [], None, 1, "x", b"", b"{", b"\xff", _nested(100), _nested(900), _nested(3000), _nested(5000),
    {"alg": "HS256", "crit": ["x"]},
    {"alg": "HS256", "b64": False}, {"alg": "HS256", "b64": False, "crit": ["b64"]}, {"alg": "HS256",
    "kid": "../../x"}, {"alg": "HS256", "kid": 1},
    {"alg": "HS256", "jku": "http://127.0.0.1:1/"}, {"alg": "HS256", "zip": "DEF"}, {"typ": 1, "alg": "HS256"},
    {"alg": "HS256", "crit": []},
    {"alg": "HS256", "crit": "x"}, {"alg": "HS256", "kid": None},
)  # fmt: skip

TIMES: tuple[Any, ...] = (
    None, True, "", "x", "1", 0, -1, 1.5, FAR, str(FAR), 10**400, -(10**400), 10**20, [], {}, [FAR], float("nan"),
    float("inf"), 1e308,
)  # fmt: skip

SUBJECTS: tuple[Any, ...] = (
    *NAMES, *TEXTS[:30], None, 1, True, [], {}, ["fuzz1"], 10**400, {"a": 1},
)  # fmt: skip


def signed(header: Any, claims: Any, key: str) -> str:
    """Returns a token of any content with a valid signature (RFC 7515 §3.1)."""
    text = f"{_part(header)}.{_part(claims)}"
    signature = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _claims(make: Maker) -> Any:
    claims: dict[str, Any] = {"sub": make.user(), "exp": FAR}
    name = make.dice.choice(("exp", "nbf", "iat", "sub", "sid", "aud", "iss", "jti", "name"))
    if name in ("exp", "nbf", "iat"):
        claims[name] = make.dice.choice(TIMES)
    elif name == "sub":
        claims[name] = make.dice.choice(SUBJECTS)
    else:
        claims[name] = make.dice.choice(VALUES)
    if make.dice.random() < 0.1:
        del claims[make.dice.choice(("sub", "exp"))]
    return claims


def forged_token(make: Maker) -> bytes:
    """Returns a damaged token, a token of another issuer, or an odd token with the server's signature."""
    kind = make.dice.randrange(6)
    good = make.dice.choice(make.world.tokens)
    if kind == 0:
        at = make.dice.randrange(len(good))
        return (good[:at] + make.dice.choice("aZ._-=") + good[at + 1 :]).encode()
    if kind == 1:
        header, claims, signature = good.split(".")
        parts = make.dice.choice(
            (
                (header, claims),
                (header, claims, ""),
                ("", claims, signature),
                (header, "", signature),
                (header, claims, signature, "x"),
                ("", "", ""),
            )
        )
        return ".".join(parts).encode()
    if kind == 2:
        return signed(make.dice.choice(HEADERS), _claims(make), make.world.key).encode()
    if kind == 3:
        odd: Any = make.dice.choice(
            (None, [], "x", 1, b"{", b"\xff", b"[" * 4000, _nested(3000), {"sub": {"a": []}, "exp": FAR})
        )
        return signed({"alg": "HS256"}, odd, make.world.key).encode()
    if kind == 4:
        return signed({"alg": "HS256"}, _claims(make), "another key, of whatever length there may be").encode()
    return signed({"alg": "HS256"}, _claims(make), make.world.key).encode()


def tokens(make: Maker) -> Attack:
    """Tokens, in a header or as a cookie."""
    token = forged_token(make)
    line = make.dice.choice((b"Authorization: Bearer " + token, b"Cookie: ssechat_session=" + token))
    request = make.dice.choice(
        (make.get(b"/v1/session", line), make.get(b"/v1/events", line), make.post(b"/v1/messages", b"{}", line))
    )
    return whole("api.token", request, make.last())


def cookies(make: Maker) -> Attack:
    """Many cookies, damaged cookies, or cookies of both kinds."""
    good = make.dice.choice(make.world.tokens).encode()
    odd = make.pick(FIELDS[b"Cookie"])
    lines = make.dice.choice(
        (
            (b"Cookie: ssechat_session=" + good + b"; " + odd,),
            (b"Cookie: " + odd, b"Cookie: ssechat_session=" + good),
            (b'Cookie: ssechat_session="' + good + b'"',),
            (b"Cookie: ssechat_session=" + forged_token(make) + b"; ssechat_session=" + good,),
        )
    )
    request = make.dice.choice(
        (
            make.get(b"/v1/session", *lines),
            replace(make.get(b"/v1/session", *lines), method=b"DELETE"),
            make.post(
                b"/v1/messages", b'{"to":"fuzz1","text":"x"}', *lines, b"Origin: " + make.pick(FIELDS[b"Origin"])
            ),
        )
    )
    return whole("api.cookie", request, make.last())


def tickets(make: Maker) -> Attack:
    """Tickets that were never issued."""
    ticket = make.pick(
        (b"", b"x", b"%00", b"%ff", b"a" * 5000, b"%ed%a0%80", b"*", b"a&ticket=b", b"%0d%0a", b"\xff", b"%f0%9f%98%80")
    )
    request = make.get(b"/v1/events?ticket=" + ticket, *([make.bearer()] if make.dice.random() < 0.3 else []))
    method = make.dice.choice((b"GET", b"GET", b"POST"))
    return whole("api.ticket", replace(request, method=method), make.last())


ALL: tuple[tuple[int, Callable[[Maker], Attack]], ...] = ((8, tokens), (4, cookies), (2, tickets))
