"""The client, against scripted servers and with a fake clock."""

import asyncio
import gzip
import json
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from scripted import Script, problem
from ssechat.client import Client, ClientError, Message, NotConfirmed, Refused, SettingsError
from ssechat.client.address import server_address
from ssechat.client.transport import LARGEST
from ssechat.problem_details import MAX_RETRY_AFTER, retry_after
from ssechat.texts.printable import without_passwords

pytestmark = pytest.mark.anyio

MESSAGE = {"conversation_id": "dm:a:b", "seq": 1, "sender": "a", "text": "hi", "created_at": "2026-11-26T09:30:00Z"}


def bodies(script: Script) -> list[dict[str, str]]:
    return [json.loads(request.content) for request in script.requests]


async def test_a_send_names_the_user_or_the_conversation_and_who_sends() -> None:
    script = Script(httpx.Response(201, json=MESSAGE))
    async with script.client() as chat:
        sent = await chat.send("b", "hi")
        assert (sent.conversation_id, sent.seq, sent.sender, sent.text) == ("dm:a:b", 1, "a", "hi")
        assert sent.created_at == datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
        assert sent.raw == MESSAGE
        await chat.send("dm:a:b", "hi", client_msg_id="mine", data={"a": 1})
    first, second = bodies(script)
    assert first["to"] == "b"
    assert second == {"conversation_id": "dm:a:b", "text": "hi", "client_msg_id": "mine", "data": {"a": 1}}
    assert script.requests[0].headers["authorization"] == "Bearer token"


async def test_idempotency_a_send_is_retried_with_one_client_msg_id_until_it_is_confirmed() -> None:
    script = Script(
        httpx.ConnectError("Connection refused"),
        httpx.ReadError("reset"),
        problem(503, "unavailable", "Redis is away", **{"retry-after": "2"}),
        problem(429, "slow_down", "too fast", **{"retry-after": "3"}),
        httpx.Response(200, json=MESSAGE),
    )
    assert (await script.client().send("b", "hi")).raw == MESSAGE
    assert len({body["client_msg_id"] for body in bodies(script)}) == 1
    assert script.pauses == [0.5, 2.0, 2.0, 3.0]
    assert script.notes[0] == (
        "cannot reach http://chat.test (Connection refused); retrying in 0.5 s, for another 30 s at most …"
    )


async def test_a_send_that_is_not_confirmed_says_how_to_repeat_it_safely() -> None:
    script = Script(httpx.ReadError("Connection reset"))
    with pytest.raises(NotConfirmed, match=r"not confirmed within 30 s .*client_msg_id='[0-9a-f]{32}'") as caught:
        await script.client().send("b", "hi")
    assert 10 < script.now <= 30
    assert {body["client_msg_id"] for body in bodies(script)} == {caught.value.client_msg_id}
    assert caught.value.client_msg_id in str(caught.value)


async def test_what_no_server_can_have_met_was_certainly_not_sent() -> None:
    with pytest.raises(NotConfirmed) as caught:
        await Script(httpx.ConnectError("Connection refused")).client().send("b", "hi")
    assert str(caught.value) == "not confirmed within 30 s (cannot reach http://chat.test (Connection refused))."


async def test_who_is_patient_for_ever_is_told_of_no_end() -> None:
    failures = [httpx.ConnectError("refused")] * 500
    script = Script(*failures, httpx.Response(201, json=MESSAGE))
    await script.client(patience=math.inf).send("b", "hi")
    assert script.now > 3600
    assert script.notes[-1] == "cannot reach http://chat.test (refused); retrying in 15.0 s …"


async def test_an_attempt_is_not_waited_for_longer_than_there_is_patience() -> None:
    script = Script(httpx.Response(201, json=MESSAGE))
    await script.client().send("b", "hi")
    await script.client(patience=2).send("b", "hi")
    assert [request.extensions["timeout"]["read"] for request in script.requests] == [10, 2]


async def test_an_answer_that_trickles_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

    monkeypatch.setattr("ssechat.client.calls.LONGEST_ATTEMPT", 0.05)
    script = Script(httpx.Response(201, stream=Trickle()), httpx.Response(201, json=MESSAGE))
    assert (await script.client().send("b", "hi")).raw == MESSAGE
    assert script.notes[0].startswith("cannot reach http://chat.test (it did not respond in time); retrying")


class Zipped(httpx.AsyncByteStream):
    """A message in gzip."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield gzip.compress(json.dumps(MESSAGE).encode())


async def test_an_answer_that_a_front_has_compressed_is_read() -> None:
    script = Script(httpx.Response(201, stream=Zipped(), headers={"content-encoding": "gzip"}))
    assert (await script.client().send("b", "hi")).raw == MESSAGE


async def test_of_several_addresses_that_cannot_be_reached_the_first_ones_reason_is_told() -> None:
    failed = httpx.ConnectError("all attempts failed")
    failed.__cause__ = ExceptionGroup(
        "several", [ConnectionRefusedError(111, "Connection refused"), OSError(113, "no")]
    )
    script = Script(failed, httpx.Response(201, json=MESSAGE))
    await script.client().send("b", "hi")
    assert script.notes[0].startswith("cannot reach http://chat.test (Connection refused); retrying")


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    script = Script(problem(429, "slow_down", "too fast", **{"retry-after": "3600"}))
    with pytest.raises(NotConfirmed, match="too fast") as caught:
        await script.client().send("b", "hi")
    assert script.pauses == []
    assert (caught.value.code, caught.value.status, caught.value.retry_after) == ("slow_down", 429, 3600)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500])
async def test_a_refusal_is_final_and_told_in_the_servers_words(status: int) -> None:
    script = Script(problem(status, "some_code", "so it is", **{"retry-after": "7"}))
    with pytest.raises(Refused, match=rf"so it is \({status} some_code\)") as caught:
        await script.client().send("b", "hi")
    assert len(script.requests) == 1
    assert (caught.value.code, caught.value.status, caught.value.retry_after) == ("some_code", status, 7)


@pytest.mark.parametrize("answer", ["<html>", "[]", "{}", '{"seq": "one"}', '{"conversation_id": 7, "seq": 1}'])
async def test_an_answer_that_is_no_message_is_told(answer: str) -> None:
    with pytest.raises(ClientError, match="is this the address of an ssechat server"):
        await Script(httpx.Response(200, text=answer)).client().send("b", "hi")


async def test_an_answer_without_a_problem_is_told() -> None:
    with pytest.raises(Refused, match="the server answered 404 Not Found") as caught:
        await Script(httpx.Response(404, text="<html>")).client().send("b", "hi")
    assert (caught.value.code, caught.value.status) == ("", 404)


async def test_what_a_newer_server_says_in_other_words_takes_nothing_away() -> None:
    newer = {**MESSAGE, "seq": 8, "pinned": {"by": "a"}, "created_at": "yesterday", "reply_to": None, "mentions": "all",
             "reactions": [{"emoji": "👍", "count": 2, "users": ["a"], "tone": 3}]}  # fmt: skip
    message = await Script(httpx.Response(201, json=newer)).client().send("b", "hi")
    assert (message.seq, message.text, message.created_at, message.mentions) == (8, "hi", None, ())
    assert message.reactions[0].count == 2
    assert message.reactions[0].raw["tone"] == 3
    assert message.raw == newer


async def test_a_message_is_shown_with_what_was_said_of_it() -> None:
    script = Script(httpx.Response(201, json={"conversation_id": "dm:a:b", "seq": 1, "text": "hi", "pinned": True}))
    message = await script.client().send("b", "hi")
    assert repr(message) == "Message(conversation_id='dm:a:b', seq=1, text='hi', pinned=True)"
    assert message == Message.read(message.raw)
    assert message != Message.read({**message.raw, "pinned": False})
    assert len({message, Message.read(message.raw)}) == 1


async def test_an_answer_that_does_not_end_is_not_kept() -> None:
    class Endless(httpx.AsyncByteStream):
        sent = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while self.sent < 2 * LARGEST:
                self.sent += 1 << 20
                yield bytes(1 << 20)

    endless = Endless()
    with pytest.raises(ClientError, match="larger than any of a chat server"):
        await Script(httpx.Response(200, stream=endless)).client().send("b", "hi")
    assert endless.sent <= LARGEST + (1 << 20)


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
@pytest.mark.parametrize("command", ["send", "events"])
async def test_a_refusal_is_one_plain_sentence_whoever_wrote_it(
    answer: httpx.Response, told: str, command: str
) -> None:
    chat = Script(answer).client()
    with pytest.raises(Refused) as caught:
        await (chat.send("b", "hi") if command == "send" else anext(chat.events()))
    assert str(caught.value) == told


async def test_an_answer_in_a_broken_encoding_counts_as_none() -> None:
    class NoGzip(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"no gzip"

    broken = httpx.Response(201, stream=NoGzip(), headers={"content-encoding": "gzip"})
    script = Script(broken, httpx.Response(201, json=MESSAGE))
    assert (await script.client().send("b", "hi")).raw == MESSAGE
    assert "incorrect header check" in script.notes[0]


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
async def test_a_proxy_that_cannot_be_used_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=rf"the proxy settings in the environment .*{name}") as caught:
        Client("https://chat.test", "t")
    assert "hunter2" not in str(caught.value)
    for here in (
        "http://127.0.0.1:8000",
        "http://[::1]",
        "http://localhost",
        "http://chat.localhost.",
        "http://0.0.0.0",
    ):
        await Client(here, "t").aclose()


async def test_a_failure_behind_a_proxy_says_that_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:hunter2@127.0.0.1:9")
    async with Client("http://chat.test", "t") as chat:
        with pytest.raises(NotConfirmed) as caught:
            await chat.send("b", "hi", patience=0.1)
    assert "(Connection refused, through the proxy that the environment names)" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["/nowhere/ca.crt", __file__])
def test_a_certificate_file_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", value)
    with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
        Client("https://chat.test", "t")


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
    with pytest.raises(SettingsError, match=r" (is not|has no) ") as caught:
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
