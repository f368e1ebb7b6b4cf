"""What has come of a feed lately: whoever has had an event gets what came after it, of each key the newest, and no more
is known than may be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parts import parse_frames
from ssechat.events import frames
from ssechat.events.wake_ups import WakeUp
from ssechat.streams import latest
from ssechat.streams.latest import Latest


def came(n: int, key: str = "", before: str = "", size: int = 1, tag: int = 1) -> WakeUp:
    data = b'{"key":"%b","data":"%b"}' % (key.encode(), b"x" * size) if key else b'{"data":"%b"}' % (b"x" * size)
    return WakeUp("tick", 0, f"{n}-{tag}", before or f"{n - 1}-1", data, n)


def of(*keys: str) -> Latest:
    """Events 11, 12 and so on, of these keys."""
    known = Latest(came(11, keys[0]))
    for n, key in enumerate(keys[1:], 12):
        known.add(came(n, key))
    return known


def ids(known: Latest, cursor: str, room: float = float("inf")) -> list[str] | None:
    """Of the events that a reader gets that has had this one; None: it is not known what it lacks."""
    part = known.after(cursor, room)
    if part is None:
        return None
    found = [frame["id"] for frame in parse_frames(frames.unchunk(part.chunk))] if part.chunk else []
    assert (part.events, part.id, part.n) == (
        len(found),
        found[-1] if found else known.newest.id,
        int(part.id.partition("-")[0]),
    )
    return found


def test_a_reader_gets_what_came_after_its_last_event_and_none_twice() -> None:
    known = of("a", "b", "a", "c")
    assert ids(known, "10-1") == ["12-1", "13-1", "14-1"]
    assert ids(known, "11-1") == ["12-1", "13-1", "14-1"]
    assert ids(known, "12-1") == ["13-1", "14-1"]
    assert ids(known, "13-1") == ["14-1"]
    assert ids(known, "14-1") == []
    plain = of("", "", "")
    assert [ids(plain, cursor) for cursor in ("10-1", "11-1", "12-1")] == [
        ["11-1", "12-1", "13-1"],
        ["12-1", "13-1"],
        ["13-1"],
    ]


def test_of_each_key_only_the_newest_is_there_in_the_order_of_the_log() -> None:
    known = of("a", "a", "b", "a", 'quoted \\" one', 'quoted \\" one', "b")
    assert ids(known, "10-1") == ["14-1", "16-1", "17-1"]


@pytest.mark.parametrize("cursor", ["", "9-1", "10-2", "12-2", "15-1", "0-0"])
def test_of_a_reader_that_has_had_another_event_it_is_not_known_what_it_lacks(cursor: str) -> None:
    assert ids(of("a", "b", "a", "c"), cursor) is None


def test_an_event_that_does_not_follow_is_all_that_is_known() -> None:
    known = of("a", "b")
    known.add(came(15, "c", before="14-1"))
    assert [ids(known, cursor) for cursor in ("10-1", "12-1", "14-1")] == [None, None, ["15-1"]]
    known.add(came(13, "a", before="12-7", tag=7))
    assert [ids(known, cursor) for cursor in ("12-1", "12-7", "15-1")] == [None, ["13-7"], None]


def test_a_part_has_as_much_as_fits_and_one_event_at_least() -> None:
    known = Latest(came(11, "a", size=1000))
    for n, key in ((12, "b"), (13, "c"), (14, "d")):
        known.add(came(n, key, size=1000))
    assert ids(known, "10-1", 2500) == ["11-1", "12-1"]
    assert ids(known, "12-1", 2500) == ["13-1", "14-1"]
    assert ids(known, "10-1", 10) == ["11-1"]
    known.add(came(15, "a", size=1000))
    assert ids(known, "10-1", 2500) == ["12-1", "13-1"]
    part, again = known.after("10-1", 2500), known.after("10-1", 2500)
    assert part is not None
    assert again is part, "made once for all who lack the same"


def test_bytes_that_are_known_are_bounded_and_who_lacks_more_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "MOST_BYTES", 5000)
    known = Latest(came(11, "a", size=1000))
    for n in range(12, 40):
        known.add(came(n, f"k{n}", size=1000))
    assert ids(known, "10-1") is None
    assert ids(known, "34-1") is None
    assert ids(known, "35-1") == ["36-1", "37-1", "38-1", "39-1"]


@pytest.mark.parametrize("key", ["a", ""])
def test_events_that_are_known_are_bounded_with_those_that_were_replaced(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(latest, "MOST_EVENTS", 10)
    known = Latest(came(11, "old"))
    for n in range(12, 101):
        known.add(came(n, key))
    assert ids(known, "90-1") is None
    assert ids(known, "91-1") == (["100-1"] if key else [f"{n}-1" for n in range(92, 101)])


def test_what_waits_is_counted_without_what_was_replaced_before_it_was_offered() -> None:
    known = Latest(came(11, "a", size=1000))
    one = known.waiting
    known.add(came(12, "a", size=1000))
    assert known.waiting == one
    known.add(came(13, "b", size=1000))
    assert known.waiting == 2 * one
    known.all_offered()
    assert (known.waiting, known.offered) == (0, 13)
    known.add(came(14, "a", size=1000))
    known.add(came(15, "a", size=1000))
    assert known.waiting == one


@settings(max_examples=200, deadline=None)
@given(
    coming=st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.integers(1, 40)), min_size=1, max_size=60),
    reads=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 400)), max_size=60),
    most_bytes=st.integers(150, 2000),
    most_events=st.integers(2, 30),
)
def test_whoever_takes_parts_has_all_that_the_log_has_or_is_told_to_read_it(
    coming: list[tuple[str, int]], reads: list[tuple[int, int]], most_bytes: int, most_events: int
) -> None:
    """Readers begin at any event and take parts of any size, while more comes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latest, "MOST_BYTES", most_bytes)
        patch.setattr(latest, "MOST_EVENTS", most_events)
        log: list[tuple[int, str]] = []
        known: Latest | None = None
        had: dict[int, int] = {}
        for n, (key, size) in enumerate(coming, 1):
            event = came(n, key, before=f"{n - 1}-1", size=size)
            if known is None:
                known = Latest(event)
            else:
                known.add(event)
            log = [one for one in log if not key or one[1] != key] + [(n, key)]
            had[n - 1] = n - 1
            for start, room in reads:
                if start not in had:
                    continue
                at = had[start]
                lacks = [number for number, _ in log if number > at]
                part = known.after(f"{at}-1", room)
                if part is None:
                    assert at < n, "who is level is known"
                    had[start] = n  # it reads the log
                    continue
                found = [int(id.partition("-")[0]) for id in ids(known, f"{at}-1", room) or ()]
                assert found == lacks[: len(found)]
                assert bool(found) == bool(lacks)
                had[start] = part.n
        assert known is not None
        assert known.after(f"{len(coming)}-1") is not None
