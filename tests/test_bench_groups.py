"""Parts of the benchmark of groups: what people get is checked, and requests are counted."""

import ctypes
import json
import socket
import threading
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import pytest

from bench import group_building, group_reactions
from bench.arrivals import ALL, Checking, StreamPlan
from bench.asking import Asker, AskPlan, ask
from bench.deliveries import Verdict, compare
from bench.dialects import Dialect
from bench.errors import BenchError
from bench.generator import GAUGES, Crew, Gauges
from bench.group_people import GroupsOptions
from bench.group_streams import LEVEL, GroupHolder, GroupStream, GroupTally
from bench.senders import Count, Sender, SendPlan
from ssechat.events import frames

GROUP = "g:aaaaaaaaaaaaaaaaaaaaaaaaaa"


def hello(n: int, missed: int = 0) -> bytes:
    return frames.event("hello", {"user": "a", "resumed": missed > 0, "missed": missed}, f"{n}-7")


def event(n: int, name: str, **data: Any) -> bytes:
    return frames.durable(f"{n}-7", name, frames.encode({"conversation_id": GROUP, **data}))


def message(n: int, seq: int, version: int = 0, **data: Any) -> bytes:
    return event(n, "message", seq=seq, version=version or n, client_msg_id=f"{n:020d}", **data)


def change(n: int, version: int, count: int) -> bytes:
    reactions = [{"emoji": "👍", "count": count, "users": ["a"]}]
    return event(n, "message.updated", seq=1, version=version, client_msg_id="1", reactions=reactions)


def member(n: int, count: int) -> bytes:
    return event(n, "member", users=[{"user": "a", "role": "member"}], by="a", member_count=count)


@contextmanager
def holding(cursor: bytes = b"") -> Iterator[tuple[GroupHolder, GroupStream, Connection]]:
    gauges: Gauges = (ctypes.c_longlong * GAUGES)()
    ours, theirs = Pipe()
    with socket.create_server(("127.0.0.1", 0)) as server, ours, theirs:
        plan = StreamPlan(server.getsockname(), Dialect("/"), Checking.COUNTING, cursor=cursor)
        holder = GroupHolder(theirs, gauges, plan)
        stream = holder.stream(0)
        assert isinstance(stream, GroupStream)
        holder.streams.append(stream)
        yield holder, stream, ours
        stream.close()


def tally_of(parts: Sequence[bytes], cursor: bytes = b"") -> GroupTally:
    with holding(cursor) as (holder, stream, ours):
        for at, part in enumerate(parts):
            stream._take(part, 1000 + at)
        holder.commands["collect"]()
        tally = ours.recv()
    assert isinstance(tally, GroupTally)
    return tally


IN_A_GROUP = (hello(1), message(2, 1), message(3, 2), change(4, 4, 1), change(5, 5, 3))


def test_a_stream_tells_what_its_reader_has_got_however_the_bytes_were_cut() -> None:
    everything = b"".join(IN_A_GROUP)
    for size in (1, 7, 100, len(everything)):
        tally = tally_of([everything[at : at + size] for at in range(0, len(everything), size)])
        assert (tally.jumps, tally.doubled, tally.others) == (0, 0, [])
        assert [*tally.came, *tally.newest, *tally.changes, *tally.reactions] == [2, 5, 2, 3]
        assert [at - took for at, took in tally.pairs] == [2, 3], "the numbers, which are times of sending"
        end = len(everything.removesuffix(b"\r\n"))  # of the last event; the chunk goes on
        assert tally.changed_at[0] == 1000 + (end - 1) // size


@pytest.mark.parametrize(
    ("seen", "faults"),
    [
        ((hello(1), message(2, 1), message(3, 2)), (0, 0, 0)),
        ((hello(1), message(3, 2)), (2, 0, 0)),
        ((hello(1), message(2, 2), message(3, 3)), (1, 0, 0)),
        ((hello(1), message(2, 1), message(2, 1)), (0, 1, 0)),
        ((hello(1), message(2, 1), change(4, 4, 1)), (1, 0, 0)),
        ((hello(1), message(2, 1), change(3, 4, 2), change(4, 3, 1)), (1, 0, 0)),
        ((hello(0), member(1, 5), member(2, 6), member(3, 7)), (0, 0, 0)),
        ((hello(0), member(1, 5), member(2, 5)), (1, 0, 0)),
        ((hello(1), message(2, 1), frames.event("reset", {"reason": "lost"}, "9-7")), (0, 0, 1)),
        ((hello(1), message(2, 1), event(3, "conversation", history="all")), (0, 0, 1)),
    ],
    ids=[
        "as promised", "lost", "lost in the group", "doubled", "a change lost", "changes swapped", "joins",
        "a join of nobody", "reset", "something else",
    ],
)  # fmt: skip
def test_each_kind_of_fault_on_a_groups_stream_is_counted(seen: Sequence[bytes], faults: tuple[int, int, int]) -> None:
    tally = tally_of(seen)
    assert (tally.jumps, tally.doubled, len(tally.others)) == faults


def test_a_reader_of_all_that_is_stored_may_miss_changes_that_later_ones_supersede_but_nothing_else() -> None:
    superseded = (hello(0, 5), member(1, 5), message(2, 1, version=5), change(5, 5, 3))
    assert tally_of(superseded, ALL).jumps == 0
    assert tally_of((hello(0, 3), member(1, 5), message(3, 2)), ALL).jumps == 2


def test_a_stream_is_level_when_it_has_missed_nothing_or_has_caught_up() -> None:
    with holding(ALL) as (holder, stream, _):
        stream._take(hello(0, 2) + member(1, 2) + message(2, 1), 0)
        holder.turned()
        assert holder.gauges[LEVEL] == 0
        stream._take(frames.event("caught_up", {"id": "2-7"}), 0)
        holder.turned()
        assert holder.gauges[LEVEL] == 1
        stream._take(hello(2), 0)
        holder.turned()
        assert holder.gauges[LEVEL] == 2


def test_each_member_of_a_conversation_is_owed_each_message_that_was_acknowledged_in_it() -> None:
    gauges: Gauges = (ctypes.c_longlong * GAUGES)()
    ours, theirs = Pipe()
    with ours, theirs:
        plan = SendPlan(
            ("127.0.0.1", 1), Dialect("/"), users=6, process=0, processes=1, connections=1, depth=1, text_bytes=3,
            rate=0, rest=0, keep=False, first=10, conversations=("g:one", "g:two"),
        )  # fmt: skip
        sender = Sender(theirs, gauges, plan)
        assert [sender.recipient(user) for user in range(10, 16)] == [0, 0, 0, 1, 1, 1]
        body = json.loads(sender.body(1, 5))
        assert body == {"conversation_id": "g:two", "text": "xxx", "client_msg_id": "0" * 19 + "5"}
        for conversation, status in ((0, 201), (1, 201), (1, 201), (1, 403)):
            sender.take((1, 10, conversation, 5), 9, b"HTTP/1.1 %d x\r\n\r\n" % status)
        sender.commands["collect"]()
        count = ours.recv()
    assert isinstance(count, Count)
    assert [*count.expected] == [1, 1, 1, 2, 2, 2]
    assert count.pairs == [(5, 4)] * 3
    assert len(count.refusals) == 1
    came = [GroupTally(array("q", [1, 1, 1]), array("q")), GroupTally(array("q", [2, 1, 3]), array("q"))]
    verdict = compare([count], came)
    assert (verdict.lost, verdict.doubled, verdict.unexpected) == (1, 1, 1)


def with_figures(**figures: Sequence[int]) -> GroupTally:
    tally = GroupTally(array("q", figures.pop("came", ())), array("q"))
    for name, values in figures.items():
        setattr(tally, name, array("q", values))
    return tally


@pytest.mark.parametrize(
    ("members", "firsts", "faults"),
    [
        ([3, 2, 1], [1, 2, 3], (0, 0, 0)),
        ([2, 1, 1], [1, 3, 3], (0, 0, 0)),
        ([1, 1, 1], [3, 3, 3], (0, 0, 0)),
        ([3, 1, 1], [1, 2, 3], (1, 0, 0)),
        ([3, 2, 2], [1, 2, 3], (0, 1, 0)),
        ([2, 1, 1], [1, 2, 2], (0, 0, 1)),
        ([3, 2, 1], [1, 2, 4], (0, 0, 1)),
        ([1, 0, 1], [3, 0, 3], (1, 0, 0)),
    ],
    ids=[
        "one by one", "two at once", "by one request", "lost", "doubled", "not told of the own join",
        "not all have joined", "told of nothing",
    ],
)  # fmt: skip
def test_whoever_joins_is_told_of_the_own_join_and_of_all_later_ones(
    members: list[int], firsts: list[int], faults: tuple[int, int, int]
) -> None:
    verdict = Verdict()
    group_building._judge(verdict, [with_figures(members=members, first_count=firsts)], 3)
    assert (verdict.lost, verdict.doubled, verdict.unexpected) == faults


@pytest.mark.parametrize(
    ("newest", "came", "reactions", "faults"),
    [
        ([4, 4], [1, 1], [2, 2], (0, 0, 0)),
        ([4, 3], [1, 1], [2, 2], (1, 0, 0)),
        ([4, 5], [1, 1], [2, 2], (0, 1, 0)),
        ([4, 4], [1, 1], [2, 1], (0, 0, 1)),
        ([4, 4], [1, 0], [2, 2], (0, 0, 1)),
    ],
    ids=["as promised", "lost", "doubled", "a reaction missing", "the message missing"],
)
def test_everybody_must_see_every_reaction(
    newest: list[int], came: list[int], reactions: list[int], faults: tuple[int, int, int]
) -> None:
    verdict = Verdict()
    tally = with_figures(newest=newest, came=came, reactions=reactions)
    group_reactions._judge(verdict, 2, [tally], newest=4)
    assert (verdict.lost, verdict.doubled, verdict.unexpected) == faults


class Answering(BaseHTTPRequestHandler):
    """Refuses every body but `1`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201 if body == b"1" else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


def test_each_of_many_users_makes_its_request_and_refusals_are_told() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = ("127.0.0.1", server.server_address[1])
            with Crew(Asker, [AskPlan(address, Dialect("/"))]) as crew:
                bodies = [b"1", b"1", b"2", b"1", b"1"]
                answers = ask(crew, range(5, 10), "POST", "/some", bodies, connections=2)
        finally:
            server.shutdown()
            thread.join()
    assert answers.bodies == {5: b"1", 6: b"1", 8: b"1", 9: b"1"}
    assert len(answers.took) == 5
    assert 0 < min(answers.took) <= answers.seconds * 1e9
    with pytest.raises(BenchError, match=r"1 requests, such as: bench-000007: HTTP/1\.1 403"):
        answers.check()


OPTIONS = GroupsOptions(
    people=10, streams=5, sizes=(2, 10), rates=(0,), connections=2, reactions=10, joins=True, others=4, others_rate=5,
    readers=1, seconds=1, warm_up=0, workers=1, text_bytes=80,
)  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"streams": 11}, {"reactions": 11}, {"sizes": (2, 11)}, {"sizes": (1,)}],
    ids=["streams", "reactions", "sizes", "too small"],
)
def test_options_that_do_not_fit_together_are_refused_with_their_names(wrong: dict[str, Any]) -> None:
    OPTIONS.check()
    with pytest.raises(BenchError, match=next(iter(wrong)).removesuffix("s")):
        replace(OPTIONS, **wrong).check()
