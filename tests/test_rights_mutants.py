"""The matrix of rights finds each server that lets one thing through."""

import sys
from collections.abc import AsyncIterator, Callable, Container, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from redises import RedisProcess
from rights.door import Door, door_of
from rights.late import Hold, late_deliveries
from rights.story import OFTEN, SELDOM, Story
from rights.table import MESSAGE
from rights.walk import Walk
from ssechat.chat.conversations import Descriptions
from ssechat.chat.history import History, _Readable
from ssechat.chat.messages import Messages
from ssechat.chat.participants import Participation
from ssechat.chat.reactions import ReactionRules
from ssechat.ids import UserId
from ssechat.logs import repair
from ssechat.logs.access import Access, Reading
from ssechat.logs.conversations import Entry
from ssechat.logs.inbox import Inbox
from ssechat.logs.members import Roster, Span
from ssechat.redis.lua import load_script

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

LIVE = "the stream that is open"
HISTORY = "GET /v1/conversations/{id}/messages"


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Hold:
    return late_deliveries(monkeypatch)


@pytest.fixture
async def door(redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    monkeypatch.setattr("rights.door.PATIENCE", 1)
    async with door_of(redis.url, tmp_path) as door:
        yield door


def frames() -> Iterator[FrameType]:
    """The calls that have led here, those of coroutines that await each other included."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


def let_through(monkeypatch: pytest.MonkeyPatch, caller: str, **arguments: bool) -> None:
    """What this function asks about, anybody may read; `arguments`: whether it was called with these."""
    reading, readable = Access.reading, _Readable.__init__

    def asked() -> bool:
        return any(
            frame.f_code.co_qualname == caller
            and all((frame.f_locals[name] is not None) is given for name, given in arguments.items())
            for frame in frames()
        )

    def mutant(self: Access, seq: int, version: int) -> Reading:
        return Reading.AS_IT_STANDS if asked() else reading(self, seq, version)

    def wide(self: _Readable, access: Access, newest: int) -> None:
        readable(self, access, newest)
        if asked():
            self._ranges = [range(1, newest + 1)]

    monkeypatch.setattr(Access, "reading", mutant)
    monkeypatch.setattr(_Readable, "__init__", wide)


async def finds(door: Door, row: str, *signs: str, hold: Hold | None = None, after: Container[str] = OFTEN) -> bool:
    """Whether the matrix has a finding with these signs, when it asks for this row and opens streams."""

    def is_it(finding: str) -> bool:
        return all(sign in finding for sign in signs)

    walk = Walk(Story(door, "from_join", hold, after), lambda one: f"{one.method} {one.path}" == row)
    return any(map(is_it, await walk.go(is_it)))


@pytest.mark.parametrize(
    ("caller", "arguments", "row", "sign"),
    [
        (History.page, {"around": False}, HISTORY, "LEAK"),
        (History.page, {"around": True}, HISTORY, "LEAK"),
        (Messages.one, {}, f"GET {MESSAGE}", "LEAK"),
        (Descriptions.list, {}, "GET /v1/conversations", "LEAK"),
        (Descriptions.one, {}, "GET /v1/conversations/{id}", "LEAK"),
        (Messages._wrong_reply, {}, "POST /v1/messages", "201"),
        (ReactionRules.page, {}, f"GET {MESSAGE}/reactions", "LEAK"),
        (Inbox._events, {}, "", "replay"),
    ],
    ids=["history", "around", "single", "list", "one conversation", "reply", "reactions", "replay"],
)
async def test_what_a_way_of_reading_lets_through_is_found(
    door: Door,
    monkeypatch: pytest.MonkeyPatch,
    caller: Callable[..., Any],
    arguments: dict[str, bool],
    row: str,
    sign: str,
) -> None:
    let_through(monkeypatch, caller.__qualname__, **arguments)
    if arguments:
        [around] = arguments.values()
        assert await finds(door, row, sign, "around=" if around else "before=")
    else:
        assert await finds(door, row, sign)


async def test_a_change_of_what_one_may_not_read_is_found(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Participation, "must_change", lambda self, seq: None)
    assert await finds(door, f"PUT {MESSAGE}/reactions/{{emoji}}", "LEAK", "| not read")


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("group.history == 'from_join' and seq or nil", "nil"),
        ("call('HDEL', KEYS[keys + MEMBERS_OF], of)", ""),
    ],
    ids=["changes of older messages", "what comes after one has left"],
)
async def test_what_is_delivered_to_live_streams_too_much_is_found(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, instead: str
) -> None:
    def mutant(package: str, *files: str) -> str:
        source = load_script(package, *files)
        if "members.lua" in files:
            assert what in source
        return source.replace(what, instead)

    monkeypatch.setattr("ssechat.logs.delivery.load_script", mutant)
    async with door_of(redis.url, tmp_path) as door:
        assert await finds(door, "", "LEAK", LIVE)


@pytest.mark.parametrize("field", ["last", "from_seq"])
async def test_what_a_repair_brings_too_much_is_found(
    late: Hold, door: Door, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    run = repair._run

    def mutant(page: Sequence[Entry], one: repair._Behind) -> Any:
        nothing = type(getattr(one.span, field))()
        return run(page, one._replace(span=one.span._replace(**{field: nothing})))

    monkeypatch.setattr(repair, "_run", mutant)
    assert await finds(door, "", "LEAK", LIVE, hold=late)


@pytest.mark.parametrize(
    ("field", "signs"),
    [("first", ("LEAK", LIVE)), ("from_seq", ("replay", "should be shown ['not at all']"))],
    ids=["first", "from_seq"],
)
async def test_what_a_leaver_gets_too_much_is_found(
    late: Hold, door: Door, monkeypatch: pytest.MonkeyPatch, field: str, signs: Sequence[str]
) -> None:
    spans = Roster.spans

    def mutant(self: Roster) -> dict[UserId, Span]:
        found = spans(self)
        for user in self.leavers:
            nothing = type(getattr(found[user], field))()
            found[user] = found[user]._replace(**{field: nothing})
        return found

    monkeypatch.setattr(Roster, "spans", mutant)
    assert await finds(door, "", *signs, hold=late, after=SELDOM)


async def test_a_message_in_a_wake_up_that_was_changed_later_is_found(
    late: Hold, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "_as_of", lambda entry, pos: entry)
    assert await finds(door, "", "LEAK", LIVE, hold=late)
