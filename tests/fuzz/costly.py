"""Amplification: small requests that could block the loop for long or cause a large response."""

import asyncio
from dataclasses import dataclass, replace

from .answers import Answer
from .attack import FIRST_IN_GROUP, Maker, Request, World, whole
from .credentials import signed
from .judge import Fault, judge
from .target import Target
from .wire import perform

SIZE = 60_000
"""Bytes of request headers or a body, slightly below the limit."""

MAX_SECONDS = 0.5
"""Upper bound of the CPU seconds of all workers for one request, including their other work."""

MAX_ANSWERED = 128 * 1024
"""Upper bound of the bytes of a response."""

PATIENCE = 40.0


@dataclass(frozen=True, slots=True)
class Costly:
    """One request."""

    name: str
    request: Request


def costly(world: World) -> list[Costly]:
    """All costly requests."""
    make = Maker(world, 0)

    def line(name: str, header: bytes, target: bytes = b"/v1/session") -> Costly:
        return Costly(name, make.get(target, header))

    def body(name: str, content: bytes, target: bytes = b"/v1/users") -> Costly:
        return Costly(name, make.post(target, content, make.bearer()))

    def chunked(content: bytes) -> Request:
        lines = (b"Content-Type: application/json", b"Transfer-Encoding: chunked")
        return Request(make.id(), b"POST", b"/v1/users", lines=lines, body=content)

    def filled(part: bytes) -> bytes:
        return part * (SIZE // len(part))

    def numbered(pattern: bytes, joined: bytes) -> bytes:
        size = len(pattern % 1000) + len(joined)
        return joined.join(pattern % number for number in range(1000, 1000 + SIZE // size))

    one = f"/v1/conversations/{world.group}/messages/1".encode()
    messages, owner = b"/v1/messages", b"Authorization: Bearer " + world.tokens[FIRST_IN_GROUP].encode()
    cookie = b"Cookie: " + world.cookie.encode() + b'="%b"'
    return [
        line("a cookie of escaped quotes", cookie % filled(b'\\"')),
        line("a cookie of escaped octets", cookie % filled(b"\\073")),
        line("a cookie of backslashes", cookie % filled(b"\\")),
        line("many cookies", b"Cookie: " + filled(b"a=b; ")),
        line("many cookies of ours", b"Cookie: " + filled(world.cookie.encode() + b"=x; ")),
        line("a token of dots", b"Authorization: Bearer " + filled(b".")),
        line("a long token", b"Authorization: Bearer " + filled(b"a") + b".b.c"),
        line("a deep token", b"Authorization: Bearer " + signed(b"[" * 40000, {}, "x" * 32).encode()),
        line("spaces for a token", b"Authorization: Bearer" + filled(b" ") + b"x"),
        line("a long origin", b"Origin: http://" + filled(b"[")),
        line("a wide origin", b"Origin: http://" + filled("℀".encode())),
        line("many addresses", b"X-Forwarded-For: " + filled(b"127.0.0.1,")),
        line("many types", b"Accept: " + filled(b"text/plain;q=0,"), b"/metrics"),
        line("many parameters of a type", b"Accept: text/plain" + filled(b";a=b"), b"/metrics"),
        line("a long version", b"Accept: text/plain;version=" + filled(b"1."), b"/metrics"),
        line("many ranges", b"Range: bytes=" + numbered(b"%d-", b","), b"/"),
        line("many tags", b"If-None-Match: " + filled(b'"x",'), b"/"),
        line("a long date", b"If-Modified-Since: " + filled(b"("), b"/"),
        Costly(
            "spaces for a tag", replace(make.get(one, b"If-Match: x" + filled(b" ") + b"x", owner), method=b"DELETE")
        ),
        Costly("many tags to match", replace(make.get(one, b"If-Match: " + filled(b'"x" '), owner), method=b"DELETE")),
        body("many members", b'{"name":"x","members":[' + numbered(b'"u%d"', b",") + b"]}", b"/v1/conversations"),
        body("many mentions", b'{"to":"fuzz1","text":"x","mentions":[' + numbered(b'"u%d"', b",") + b"]}", messages),
        body("deep data", b'{"to":"fuzz1","text":"x","data":' + filled(b'{"a":') + b"}", messages),
        body("wide data", b'{"to":"fuzz1","text":"x","data":{' + numbered(b'"p%d":1', b",") + b"}}", messages),
        body("a long name of a group", b'{"name":"' + filled("\u00e4".encode()) + b'"}', b"/v1/conversations"),
        line("a long content type", b"Content-Type: " + filled(b";")),
        line("a long cursor", b"Last-Event-ID: " + filled(b"1"), b"/v1/events"),
        Costly("many folders", make.get(b"/web/" + filled(b"a/"))),
        Costly("many dots", make.get(b"/web/" + filled(b"../"))),
        Costly("a long name", make.get(b"/v1/users/" + filled(b"%41"), make.bearer())),
        Costly("an id of colons", make.get(b"/v1/conversations/" + filled(b":") + b"/messages", make.bearer())),
        Costly("many parameters", make.get(b"/v1/conversations?" + numbered(b"p%d=1", b"&"), make.bearer())),
        Costly("one parameter", make.get(b"/v1/conversations?limit=" + filled(b"9"), make.bearer())),
        Costly("empty lines", replace(make.get(), newline=b"\r\n", method=b"\r\n" * 110_000 + b"GET")),
        Costly("a chunk of line ends", chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (220_000, b"\r\n" * 110_000))),
        Costly("chunks of line ends", chunked(b"4\r\n\r\n\r\n\r\n" * 20_000 + b"0\r\n\r\n")),
        Costly("chunks of a byte", chunked(b"1\r\n \r\n" * 30_000 + b"0\r\n\r\n")),
        Costly("many lines", Request(make.id(), lines=(b"X:",) * (SIZE // 4))),
        body("many fields", b"{" + numbered(b'"p%d":1', b",") + b"}"),
        body("many fields of a sign-in", b"{" + numbered(b'"p%d":1', b",") + b"}", b"/v1/session"),
        body("many fields of a message", b"{" + numbered(b'"p%d":1', b",") + b"}", b"/v1/messages"),
        body("a long field's name", b'{"' + filled(b"x") + b'":1}'),
        body("lists in lists", filled(b"[")),
        body("objects in objects", filled(b'{"a":')),
        body("a number", b'{"name":' + filled(b"9") + b"}"),
        body("a long name to sign up", b'{"name":"' + filled(b"a") + b'","password":"x"}'),
        body("escapes", b'{"name":"' + filled(b"\\u0000") + b'"}'),
        body("marks on a letter", b'{"name":"a' + filled("\u0301\u0316".encode()) + b'","password":"long enough"}'),
        body(
            "marks in a password",
            b'{"name":"fuzz1","password":"a' + filled("\u0301\u0316".encode()) + b'"}',
            b"/v1/session",
        ),
    ]


async def try_costly(target: Target, world: World) -> list[Fault]:
    """Sends each request alone, and measures its cost."""
    faults = []
    for each in costly(world):
        before = target.cpu_seconds()
        name = f"costly: {each.name}"
        attack = whole(name, each.request)
        outcome = await perform(attack, target.port, PATIENCE)
        spent = target.cpu_seconds() - before
        faults += [
            Fault(f"{name}: {fault.kind.removeprefix(name + ': ')}", fault.said) for fault in judge(attack, outcome)
        ]
        if spent > MAX_SECONDS:
            faults.append(Fault(f"{name}: time", f"{spent:.1f} s of CPU for {_shown(each.request)}"))
        longest = max(map(_size, outcome.answers), default=0)
        if longest > MAX_ANSWERED:
            faults.append(Fault(f"{name}: answer", f"{longest} bytes for {_shown(each.request)}"))
        await asyncio.sleep(0)
    return faults


def _size(answer: Answer) -> int:
    return len(answer.body)


def _shown(request: Request) -> str:
    data = bytes(request)
    return f"{data[:160]!r} … {data[-60:]!r} ({len(data)} bytes)"
