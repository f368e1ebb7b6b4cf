import json

from hypothesis import given
from hypothesis import strategies as st

from parts import parse_frames
from ssechat import frames


def test_an_event_has_its_id_its_name_and_its_data() -> None:
    chunk = frames.event("hello", {"user": "alice"}, "1-2")
    assert frames.unchunk(chunk) == b'id: 1-2\nevent: hello\ndata: {"user":"alice"}\n\n'


def test_an_event_that_is_not_durable_has_no_id() -> None:
    assert frames.unchunk(frames.event("ping", {})) == b"event: ping\ndata: {}\n\n"


def test_an_event_can_carry_the_time_to_come_back_after() -> None:
    assert frames.unchunk(frames.event("bye", {}, retry=1500)) == b"retry: 1500\nevent: bye\ndata: {}\n\n"


def test_a_chunk_says_its_length_in_bytes() -> None:
    assert frames.chunk("é".encode() * 8) == b"10\r\n" + "é".encode() * 8 + b"\r\n"


def test_a_durable_event_begins_with_its_id() -> None:
    assert frames.unchunk(frames.durable("7-9", "message", b"{}")) == b"id: 7-9\nevent: message\ndata: {}\n\n"


def test_the_first_bytes_of_a_stream_say_when_to_come_back() -> None:
    assert frames.unchunk(frames.first_bytes(2000)) == b"retry: 2000\n\n"


@given(st.text())
def test_no_text_can_end_a_line_or_a_frame(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    frame = frames.unchunk(frames.durable("1-1", "message", frames.encode({"text": text})))
    assert frame.count(b"\n") == 4
    assert b"\r" not in frame
    [event] = parse_frames(frame)
    assert json.loads(event["data"]) == {"text": text}
