"""The client, against scripted servers and with a fake clock."""

import json
from collections.abc import Callable, Iterator
from itertools import islice

import httpx
import pytest

from scripted import Script, problem
from ssechat.client import Client, ClientError, Event
from ssechat.client.address import server_address
from ssechat.errors import SettingsError
from ssechat.problem_details import MAX_RETRY_AFTER, retry_after
from ssechat.texts.printable import without_passwords

MESSAGE = {"conversation_id": "dm:a:b", "seq": 1, "sender": "a", "text": "hi", "created_at": "no time"}
Answer = Callable[[httpx.Request], httpx.Response]


def bodies(script: Script) -> list[dict[str, str]]:
    return [json.loads(request.content) for request in script.requests]


def stream(text: str) -> httpx.Response:
    return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})


class Breaks(httpx.SyncByteStream):
    """A response body that fails after some bytes."""

    def __init__(self, text: str, error: Exception) -> None:
        self.text = text
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield self.text.encode()
        raise self.error


def broken(text: str, error: Exception) -> httpx.Response:
    return httpx.Response(200, stream=Breaks(text, error), headers={"content-type": "text/event-stream"})


def test_a_send_names_the_user_or_the_conversation_and_who_sends() -> None:
    script = Script(httpx.Response(201, json=MESSAGE))
    client = script.client()
    assert client.send("b", "hi") == MESSAGE
    client.send("dm:a:b", "hi", client_msg_id="mine")
    first, second = bodies(script)
    assert first["to"] == "b"
    assert second == {"conversation_id": "dm:a:b", "text": "hi", "client_msg_id": "mine"}
    assert script.requests[0].headers["authorization"] == "Bearer token"


def test_idempotency_a_send_is_retried_with_one_client_msg_id_until_it_is_confirmed() -> None:
    script = Script(
        httpx.ConnectError("Connection refused"),
        httpx.ReadError("reset"),
        problem(503, "unavailable", "Redis is away", **{"retry-after": "2"}),
        problem(429, "slow_down", "too fast", **{"retry-after": "3"}),
        httpx.Response(200, json=MESSAGE),
    )
    assert script.client().send("b", "hi") == MESSAGE
    assert len({body["client_msg_id"] for body in bodies(script)}) == 1
    assert script.pauses == [0.5, 2.0, 2.0, 3.0]
    assert script.notes[0] == (
        "cannot reach http://chat.test (Connection refused); retrying in 0.5 s, for another 30 s at most …"
    )


def test_a_send_that_is_not_confirmed_says_how_to_repeat_it_safely() -> None:
    script = Script(httpx.ConnectError("Connection refused"))
    with pytest.raises(ClientError, match=r"not confirmed within 30 s .*--client-msg-id [0-9a-f]{32}"):
        script.client().send("b", "hi")
    assert 10 < script.now <= 30


def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    script = Script(problem(429, "slow_down", "too fast", **{"retry-after": "3600"}))
    with pytest.raises(ClientError, match="too fast"):
        script.client().send("b", "hi")
    assert script.pauses == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
def test_a_refusal_is_final_and_told_in_the_servers_words(status: int) -> None:
    script = Script(problem(status, "some_code", "so it is"))
    with pytest.raises(ClientError, match=rf"so it is \({status} some_code\)"):
        script.client().send("b", "hi")
    assert len(script.requests) == 1


def test_an_answer_that_is_no_message_is_told() -> None:
    with pytest.raises(ClientError, match="is this the address of an ssechat server"):
        Script(httpx.Response(200, text="<html>")).client().send("b", "hi")
    with pytest.raises(ClientError, match="the server answered 404 Not Found"):
        Script(httpx.Response(404, text="<html>")).client().send("b", "hi")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            httpx.Response(
                422,
                json={
                    "code": "invalid_request",
                    "detail": "text: too long",
                    "fields": [{"field": "text", "message": "too long"}, {"field": "to", "message": "too short"}],
                },
            ),
            "text: too long; to: too short (422 invalid_request)",
        ),
        (httpx.Response(422, json={"detail": "no", "fields": {"a": 1}}), "no (422 Unprocessable Entity)"),
        (httpx.Response(404, json={"title": "two\nlines\x85and"}), "two lines and (404 Not Found)"),
        (httpx.Response(400, json={"detail": ""}), "the server answered 400 Bad Request"),
        (httpx.Response(400, json=["detail"]), "the server answered 400 Bad Request"),
        (httpx.Response(400, content=b"[" * 100_000), "the server answered 400 Bad Request"),
        (httpx.Response(400, content=b"\xff\xfe{"), "the server answered 400 Bad Request"),
        (httpx.Response(403, html="<html><b>Forbidden</b></html>"), "the server answered 403 Forbidden"),
        (httpx.Response(403, text="not\nfrom here"), "the server answered 403 Forbidden: not from here"),
        (httpx.Response(403, text="x" * 9999), f"the server answered 403 Forbidden: {'x' * 299}…"),
        (httpx.Response(400, json={"detail": "y" * 9999, "code": "z"}), f"{'y' * 299}… (400 z)"),
        (
            httpx.Response(308, headers={"location": "https://chat.test/"}),
            "the server answered 308 Permanent Redirect: use https://chat.test/ instead",
        ),
    ],
)
@pytest.mark.parametrize("command", ["send", "listen"])
def test_a_refusal_is_one_plain_sentence_whoever_wrote_it(answer: httpx.Response, told: str, command: str) -> None:
    client = Script(answer).client()
    with pytest.raises(ClientError) as caught:
        client.send("b", "hi") if command == "send" else next(client.listen())
    assert str(caught.value) == told


def test_an_answer_in_a_broken_encoding_counts_as_none() -> None:
    script = Script(httpx.DecodingError("not gzip"), httpx.Response(201, json=MESSAGE))
    assert script.client().send("b", "hi") == MESSAGE
    assert "not gzip" in script.notes[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://user:hunter2@proxy.test"),
        ("HTTP_PROXY", "http://user:hunter2@[::1"),
        ("HTTPS_PROXY", "gopher://user:hunter2@proxy.test"),
        ("ALL_PROXY", "http://user:hunter2@proxy.test:port"),
        ("ALL_PROXY", "http://user:hunter2@\udcff"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"the proxy settings in the environment .*{name}") as caught:
        Client("https://chat.test", lambda: "t")
    assert "hunter2" not in str(caught.value)
    for here in (
        "http://127.0.0.1:8000",
        "http://[::1]",
        "http://localhost",
        "http://chat.localhost.",
        "http://0.0.0.0",
    ):
        Client(here, lambda: "t").__exit__()


def test_a_failure_behind_a_proxy_says_that_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:hunter2@127.0.0.1:9")
    with Client("http://chat.test", lambda: "t") as client, pytest.raises(ClientError) as caught:
        client.send("b", "hi", patience=0.1)
    assert "(Connection refused, through the proxy that the environment names)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["/nowhere/ca.crt", __file__])
def test_a_certificate_file_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", value)
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        Client("https://chat.test", lambda: "t")


def test_reconnect_sends_the_last_event_id_that_the_caller_processed() -> None:
    script = Script(
        stream('retry: 2000\n\nid: 5-x\nevent: hello\ndata: {"user":"a"}\n\nid: 6-x\nevent: message\ndata: {}\n\n'),
        broken("id: 7-x\nevent: message\ndata: {}\n\nid: 8-x\nevent: mess", httpx.ReadError("reset")),
        broken("event: ping\ndata: {}\n\n", httpx.ReadTimeout("silence")),
        stream("id: 8-x\nevent: message\ndata: {}\n\n"),
    )
    events = list(islice(script.client().listen(), 5))
    assert [event.id for event in events] == ["5-x", "6-x", "7-x", "", "8-x"]
    cursors = [request.headers.get("last-event-id") for request in script.requests]
    assert cursors == [None, "6-x", "7-x", "7-x"]
    assert script.pauses == [2.0, 2.0, 2.0]
    assert script.notes[0] == "the stream ended; reconnecting in 2.0 s …"
    assert script.notes[2].startswith("the stream was silent for 60 s")


def test_the_event_that_opens_a_stream_is_for_the_client_only() -> None:
    script = Script(
        stream("event: retry\nretry: 2000\ndata: {}\nid: 4-x\n\nevent: hello\ndata: {}\nid: 4-x\n\n"),
        broken("event: retry\nretry: 3000\ndata: {}\nid: 4-x\n\n", httpx.ReadError("reset")),
        stream("event: message\ndata: {}\nid: 5-x\n\n"),
    )
    events = list(islice(script.client().listen(), 2))
    assert events == [Event("hello", "4-x", {}), Event("message", "5-x", {})]
    assert script.requests[2].headers["last-event-id"] == "4-x"
    assert script.pauses == [2.0, 3.0]


def test_a_bye_before_a_cut_response_is_no_failure() -> None:
    end = httpx.RemoteProtocolError("incomplete chunked read")
    script = Script(broken('event: bye\nretry: 1500\ndata: {"reason":"drain"}\n\n', end), stream("data: 1\n\n"))
    list(islice(script.client().listen(), 2))
    assert script.notes == ["the stream ended; reconnecting in 1.5 s …"]


def test_a_cut_response_without_a_bye_is_said_in_words() -> None:
    end = httpx.RemoteProtocolError("peer closed connection without sending complete message body")
    script = Script(broken("retry: 1500\n\n", end), stream("data: 1\n\n"))
    list(islice(script.client().listen(), 1))
    assert script.notes == ["cannot reach http://chat.test (it closed the connection); reconnecting in 1.5 s …"]


def test_events_without_an_id_do_not_change_the_last_event_id() -> None:
    script = Script(stream("id: 1-x\nevent: message\ndata: {}\n\nevent: typing\ndata: {}\n\n"))
    events = list(islice(script.client().listen("0-0"), 2))
    assert events == [Event("message", "1-x", {}), Event("typing", "", {})]
    assert script.requests[0].headers["last-event-id"] == "0-0"


def test_reconnect_waits_as_retry_says_with_jitter_and_back_off() -> None:
    script = Script(
        stream("retry: 4000\n\n"),
        httpx.ConnectError("refused"),
        problem(503, "unavailable", "away"),
        httpx.ConnectError("refused"),
        problem(401, "token_expired", "the token has expired"),
    )
    with pytest.raises(ClientError, match=r"the token has expired \(401 token_expired\)"):
        next(script.client(chance=1.0).listen())
    assert script.pauses == [5.0, 5.0, 5.0, 10.0]


def test_reconnect_after_429_waits_as_retry_after_says() -> None:
    script = Script(problem(429, "too_many", "too many", **{"retry-after": "7"}), problem(403, "no", "no"))
    with pytest.raises(ClientError):
        next(script.client().listen())
    assert script.pauses == [7.0]


def test_a_response_that_is_not_an_event_stream_is_an_error() -> None:
    script = Script(httpx.Response(200, text="<html>", headers={"content-type": "text/html"}))
    with pytest.raises(ClientError, match="not a chat server"):
        next(script.client().listen())


def test_each_reconnect_uses_a_fresh_token() -> None:
    tokens = iter(["one", "two"])
    script = Script(stream(""), stream("event: message\ndata: {}\n\n"))
    client = Client(
        "http://chat.test",
        lambda: next(tokens),
        transport=httpx.MockTransport(script),
        sleep=script.sleep,
    )
    next(client.listen())
    assert [request.headers["authorization"] for request in script.requests] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ü", "bad\x00"])
def test_what_cannot_be_a_token_is_refused_before_it_is_sent(token: str) -> None:
    script = Script(httpx.Response(200))
    client = Client("http://chat.test", lambda: token, transport=httpx.MockTransport(script))
    with pytest.raises(SettingsError, match="not a token"):
        client.send("b", "hi")
    assert script.requests == []


@pytest.mark.parametrize(
    "text",
    [
        *("localhost:8000", "chat.test", "ftp://chat.test", "http://", "", "http://a?b", "http://a#b", "http://a:port"),
        *(
            "http://a b",
            "http://a%20b",
            "http://...",
            f"http://{'a' * 300}",
            "http://[::1",
            "http://\udcff",
            "http://a\nb",
        ),
        *("http://a:99999", "http://a:0", "http://a:-1", "http://user:hunter2@a", "http://:hunter2@", "http://x@"),
    ],
)
def test_what_is_no_address_is_refused_without_quoting_a_password(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^--server: ") as caught:
        server_address(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["http://[::1]:8000", "https://ü.test", "http://a.test./chat/", "HTTP://A:1"])
def test_addresses_of_all_kinds_are_taken(text: str) -> None:
    assert server_address(text)


def test_retry_after_is_a_number_or_a_date() -> None:
    def header(value: str) -> float | None:
        return retry_after(httpx.Response(503, headers={"retry-after": value}))

    assert header("120") == 120
    assert header("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert header("soon") is None
    assert retry_after(httpx.Response(503)) is None


def test_retry_after_is_bounded() -> None:
    for value in ("9" * 400, "7200", "Wed, 21 Oct 2099 07:28:00 GMT"):
        assert retry_after(httpx.Response(503, headers={"retry-after": value})) == MAX_RETRY_AFTER
    assert retry_after(httpx.Response(503, headers={"retry-after": "Wed, 21 Oct 9999 07:28:00 -2359"})) in (
        None,
        MAX_RETRY_AFTER,
    )
    script = Script(stream(f"retry: {'9' * 400}\n\nevent: ping\ndata: {{}}\n\n"))
    events = script.client().listen()
    next(events)
    next(events)
    assert script.pauses == [MAX_RETRY_AFTER]


def test_no_password_of_a_url_is_shown() -> None:
    for url in (
        "redis://u:hunter2@h:1/0",
        "redis://:hunter2@h",
        "x (http://u:hunt@er2@h) y",
        "/home/http:/u:hunter2@h",
    ):
        shown = without_passwords(url)
        assert "hunt" not in shown
        assert "@h" in shown
    assert without_passwords("http://127.0.0.1:8000 and me@here") == "http://127.0.0.1:8000 and me@here"
