import json

from hypothesis import given
from hypothesis import strategies as st

from parts import parse_frames
from ssechat.events import frames


def test_an_event_has_its_id_its_name_and_its_data() -> None:
    chunk = frames.event("hello", {"user": "alice"}, "1-2")
    assert frames.unchunk(chunk) == b'event: hello\ndata: {"user":"alice"}\nid: 1-2\n\n'


def test_an_event_that_is_not_durable_has_no_id() -> None:
    assert frames.unchunk(frames.event("ping", {})) == b"event: ping\ndata: {}\n\n"


def test_an_event_can_carry_a_retry_field() -> None:
    assert frames.unchunk(frames.event("bye", {}, retry=1500)) == b"event: bye\nretry: 1500\ndata: {}\n\n"


def test_a_chunk_says_its_length_in_bytes() -> None:
    assert frames.chunk("é".encode() * 8) == b"10\r\n" + "é".encode() * 8 + b"\r\n"


def test_a_durable_event_ends_with_its_id() -> None:
    assert frames.unchunk(frames.durable("7-9", "message", b"{}")) == b"event: message\ndata: {}\nid: 7-9\n\n"


def test_a_stream_begins_with_an_event_with_retry_and_last_event_id() -> None:
    assert frames.unchunk(frames.first_bytes(2000, "1-2")) == b"event: retry\nretry: 2000\ndata: {}\nid: 1-2\n\n"
    assert frames.unchunk(frames.first_bytes(2000, None)) == b"event: retry\nretry: 2000\ndata: {}\n\n"


LINE_ENDS = "\n \r \v \f \x1c \x1d \x1e \x85 \u2028 \u2029"


def test_unicode_line_separators_are_escaped_in_data() -> None:
    data = frames.encode({"text": LINE_ENDS, "and": "… – é ‧ \u202a \x84"})
    assert len(data.decode().splitlines()) == 1
    assert json.loads(data) == {"text": LINE_ENDS, "and": "… – é ‧ \u202a \x84"}


def test_other_characters_are_not_escaped_in_data() -> None:
    data = json.dumps({"text": "… – é ‧ \u202a \x84 日本"}, ensure_ascii=False, separators=(",", ":")).encode()
    assert frames.one_line(data) == data


@given(st.text())
def test_no_text_can_end_a_data_line_or_a_frame(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    frame = frames.unchunk(frames.durable("1-1", "message", frames.encode({"text": text})))
    assert frame.count(b"\n") == 4
    assert len(frame.decode().splitlines()) == 4
    [event] = parse_frames(frame)
    assert json.loads(event["data"]) == {"text": text}
