"""Sending and reading messages: the HTTP contract over real connections."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from e2e.api import SERIES, Person, direct, fresh, message_of, problem
from e2e.exchanges import exchange, request_bytes, status
from e2e.frames import Event, Frames, pull
from serving import Server

PASSWORD = "correct horse battery"
JSON_BODY = "Content-Type: application/json"


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_idempotency_a_retry_gets_the_first_message(alice: Person, bob: Person) -> None:
    first = alice.post("hi", bob.user, "one")
    assert first.status_code == 201
    message = first.json()
    assert message == {
        "conversation_id": direct(alice.user, bob.user),
        "seq": 1,
        "version": 1,
        "sender": alice.user,
        "text": "hi",
        "client_msg_id": "one",
        "created_at": message["created_at"],
    }
    assert message["created_at"].endswith("Z")
    again = alice.post("hi", bob.user, "one")
    assert (again.status_code, again.json()) == (200, message)
    body = {"conversation_id": message["conversation_id"], "text": "hi", "client_msg_id": "one"}
    the_same = alice.http.post("/v1/messages", json=body)
    assert (the_same.status_code, the_same.json()) == (200, message)
    problem(alice.post("something else", bob.user, "one"), 422, "idempotency_conflict")
    # A client_msg_id belongs to a sender and a conversation.
    assert bob.post("hi", alice.user, "one").status_code == 201
    assert alice.post("hi", alice.user, "one").status_code == 201
    assert [each["seq"] for each in alice.history(bob.user)] == [1, 2]


def test_the_idempotency_key_header_is_the_client_msg_id(alice: Person, bob: Person) -> None:
    body = {"to": bob.user, "text": "hi"}
    first = alice.http.post("/v1/messages", json=body, headers={"Idempotency-Key": "k 1"})
    assert first.status_code == 201
    assert first.json()["client_msg_id"] == "k 1"
    assert alice.post("hi", bob.user, "k 1").status_code == 200
    both = alice.http.post("/v1/messages", json={**body, "client_msg_id": "k 1"}, headers={"Idempotency-Key": "k 1"})
    assert both.status_code == 200
    for header in (b"", b"x" * 129, b"k\t1", b"k\xe91"):
        answer = alice.http.post("/v1/messages", json=body, headers={b"Idempotency-Key": header})
        problem(answer, 422, "invalid_request")
    differing = {**body, "client_msg_id": "k 2"}
    answer = alice.http.post("/v1/messages", json=differing, headers={"Idempotency-Key": "k 1"})
    problem(answer, 422, "invalid_request")


def test_idempotency_without_a_client_msg_id_each_send_is_a_message(alice: Person, bob: Person) -> None:
    one, other = alice.say("hi", bob.user), alice.say("hi", bob.user)
    assert one["client_msg_id"] != other["client_msg_id"]
    assert (one["seq"], other["seq"]) == (1, 2)
    assert alice.post("hi", bob.user, one["client_msg_id"]).json() == one


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"{", ""),
        (b"nonsense", ""),
        (b"null", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"7", ""),
        (b"{} {}", ""),
        (b'{"to":"%b","text":"hi",}', ""),
        (b'{"to":"%b","text":NaN}', None),
        (b"\xef\xbb\xbf{}", ""),
        (b'{"to":"%b","text":"\xff"}', None),
        (b'{"to":"%b","text":"\xed\xa0\x80"}', None),
        (b'{"to":"%b","text":"\\ud800"}', None),
        (b'{"to":"%b","text":"\\udc00\\ud800"}', None),
        (b'{"to":"%b","\\ud800":"x","text":"hi"}', None),
        (b'{"to":"%b","text":"a\nb"}', None),
        (b'{"to":"%b"}', "text"),
        (b'{"to":"%b","text":""}', "text"),
        (b'{"to":"%b","text":null}', "text"),
        (b'{"to":"%b","text":5}', "text"),
        (b'{"to":"%b","text":1e999}', "text"),
        (b'{"to":"%b","text":' + b"9" * 5000 + b"}", None),
        (b'{"to":"%b","text":true}', "text"),
        (b'{"to":"%b","text":["hi"]}', "text"),
        (b'{"to":"%b","text":' + b"[" * 20000 + b"]" * 20000 + b"}", None),
        (b'{"to":"%b","text":' + b'{"a":' * 9000 + b"1" + b"}" * 9000 + b"}", None),
        (b'{"to":"%b","text":"hi","extra":1}', "extra"),
        (b'{"to":"%b","text":"hi","":1}', ""),
        (b'{"to":"%b","text":"hi","a\\u0000\\nb":1}', None),
        (b'{"text":"hi"}', ""),
        (b'{"to":"%b","conversation_id":"dm:a:b","text":"hi"}', ""),
        (b'{"to":7,"text":"hi"}', "to"),
        (b'{"to":"","text":"hi"}', "to"),
        (b'{"to":"' + b"x" * 129 + b'","text":"hi"}', "to"),
        (b'{"conversation_id":"' + b"x" * 401 + b'","text":"hi"}', "conversation_id"),
        (b'{"conversation_id":"","text":"hi"}', "conversation_id"),
        (b'{"conversation_id":{},"text":"hi"}', "conversation_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":""}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"a\\u0000b"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"a\\n"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"\\u007f"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"\xc3\xa9"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":"' + b"x" * 129 + b'"}', "client_msg_id"),
        (b'{"to":"%b","text":"hi","client_msg_id":7}', "client_msg_id"),
    ],
)
def test_a_wrong_body_is_refused_with_the_field_at_fault(
    alice: Person, bob: Person, body: bytes, field: str | None
) -> None:
    sent = body.replace(b"%b", bob.user.encode())
    answer = alice.http.post("/v1/messages", content=sent, headers={"Content-Type": "application/json"})
    content = problem(answer, 422, "invalid_request")
    if field is not None:
        assert field in [one["field"] for one in content["fields"]]
    assert all(one["message"] for one in content["fields"])
    assert alice.history(bob.user) == []


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_a_message_to_nobody_or_into_others_conversations_is_refused(alice: Person, bob: Person) -> None:
    def into(conversation: str) -> httpx.Response:
        return alice.http.post("/v1/messages", json={"conversation_id": conversation, "text": "hi"})

    problem(alice.post("hi", fresh("nobody")), 404, "unknown_user")
    problem(alice.post("hi", "not a user id"), 404, "unknown_user")
    problem(alice.post("hi", "{u:bob}"), 404, "unknown_user")
    problem(into(direct(bob.user, "zoe")), 403, "not_a_member")
    first, second = sorted((alice.user, bob.user))
    problem(into(f"dm:{second}:{first}"), 404, "unknown_conversation")
    for unknown in (
        "dm",
        "dm:",
        "dm::",
        f"dm:{alice.user}",
        f"dm:{first}:{second}:x",
        "g:unknown",
        "x:y",
        "}{",
        "\x00",
    ):
        problem(into(unknown), 404, "unknown_conversation")
    problem(into(direct(alice.user, fresh("nobody"))), 404, "unknown_conversation")
    for reader, conversation, expected in (
        (alice, direct(bob.user, "zoe"), (403, "not_a_member")),
        (alice, f"dm:{second}:{first}", (404, "unknown_conversation")),
    ):
        problem(reader.http.get(f"/v1/conversations/{conversation}/messages"), *expected)
    assert into(direct(alice.user, bob.user)).status_code == 201
    assert into(direct(alice.user, alice.user)).status_code == 201


def test_a_body_over_the_limit_is_413_with_content_length_or_chunks(alice: Person, bob: Person) -> None:
    headers = {"Content-Type": "application/json"}
    frame = len(json.dumps({"to": bob.user, "text": ""}))
    fits = json.dumps({"to": bob.user, "text": "x" * (65536 - frame)}).encode()
    assert len(fits) == 65536
    too_large = fits[:-2] + b'x"}'
    assert alice.http.post("/v1/messages", content=fits, headers=headers).status_code == 201
    problem(alice.http.post("/v1/messages", content=too_large, headers=headers), 413, "too_large")

    def in_pieces(body: bytes) -> Iterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    assert alice.http.post("/v1/messages", content=in_pieces(fits), headers=headers).status_code == 201
    problem(alice.http.post("/v1/messages", content=in_pieces(too_large), headers=headers), 413, "too_large")
    assert len(alice.history(bob.user)) == 2


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_is_sent(server: Server, alice: Person) -> None:
    head = request_bytes(
        "POST", "/v1/messages", JSON_BODY, f"Authorization: Bearer {alice.token}", "Content-Length: 70000"
    )
    answer = exchange(server, head)
    assert status(answer) == 413
    assert b'"code":"too_large"' in answer


TEXTS = {
    "newline": "one\ntwo",
    "carriage return": "one\rtwo",
    "both": "one\r\ntwo\r\n\r\n",
    "line separators": "one\u2028two\u2029three\u0085four\x0b\x0c\x1c",
    "nul": "a\x00b",
    "controls": "".join(map(chr, range(32))) + "\x7f.",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 \U0010ffff",
    "right to left": "\u202eשלום مرحبا\u202c",
    "a frame": "x\n\nevent: bye\nid: 9-9\ndata: {}\n\n",
    "a chunk": "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "json": '"},{"seq":9,"version":7}\\"\\u0000',
    "not characters": "\ufffe\uffff\ufffd\ufeff",
    "html": "</script><script>alert(1)</script>",
    "space": "  .  ",
    "lua": "%s %d %% \\0 ]] KEYS[1]",
    "60 KB": "0123456789abcde\n" * 3500,
    "60 KB of emoji": "😀" * 15000,
    "4 KB": "x" * 4096,
}


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_every_text_survives_unharmed_live_in_history_and_on_replay(alice: Person, bob: Person) -> None:
    texts = list(TEXTS.values())
    with bob.listen() as live:
        start = live.first("hello").id
        for number, text in enumerate(texts):
            assert alice.say(text, bob.user, f"t{number}")["text"] == text
            assert alice.post(text, bob.user, f"t{number}").json()["text"] == text
        live.messages(len(texts))
        assert live.texts == texts
        ids = [event.id for event in live.named("message")]
    assert [message["text"] for message in bob.history(alice.user)] == texts
    with bob.listen(start) as replay:
        replay.messages(len(texts))
        assert replay.texts == texts
        assert [event.id for event in replay.named("message")] == ids
        assert replay.first("caught_up").data == {"id": ids[-1]}


def test_history_is_read_in_pages_in_both_directions(alice: Person, bob: Person) -> None:
    for number in range(1, 8):
        alice.say(str(number), bob.user)
    path = f"/v1/conversations/{direct(alice.user, bob.user)}/messages"

    def page(**query: int) -> tuple[list[int], bool]:
        answer = bob.http.get(path, params=query).json()
        return [message["seq"] for message in answer["messages"]], answer["has_more"]

    assert page() == ([1, 2, 3, 4, 5, 6, 7], False)
    assert page(limit=3) == ([5, 6, 7], True)
    assert page(before=5, limit=3) == ([2, 3, 4], True)
    assert page(before=2, limit=3) == ([1], False)
    assert page(before=1) == ([], False)
    assert page(after=0, limit=3) == ([1, 2, 3], True)
    assert page(after=5) == ([6, 7], False)
    assert page(after=7) == ([], False)
    assert page(after=2**53 - 1) == ([], False)
    assert page(before=2**53 - 1, limit=1) == ([7], True)
    for query in (
        "before=0",
        "after=-1",
        "limit=0",
        "limit=201",
        "before=x",
        "before=1&after=1",
        "page=1",
        "before=1e9",
    ):
        problem(bob.http.get(f"{path}?{query}"), 422, "invalid_request")
    problem(bob.http.get(f"{path}?before={'9' * 5000}"), 422, "invalid_request")


def test_the_list_of_conversations_shows_the_one_with_the_newest_event_first(alice: Person, bob: Person) -> None:
    bob.say("to myself", bob.user)
    alice.say("hi", bob.user)
    newest = bob.say("later", bob.user)
    first = bob.http.get("/v1/conversations", params={"limit": 1}).json()
    assert [each["id"] for each in first["conversations"]] == [direct(bob.user, bob.user)]
    assert first["conversations"][0]["last_message"] == newest
    assert first["conversations"][0]["members"] == [bob.user]
    second = bob.http.get("/v1/conversations", params={"limit": 1, "before": first["next"]}).json()
    assert [each["id"] for each in second["conversations"]] == [direct(alice.user, bob.user)]
    assert second["next"] is None


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_a_wrong_path_or_method_gets_a_problem(alice: Person, method: str) -> None:
    problem(alice.http.request(method, "/v1/nothing"), 404, "not_found")
    answer = alice.http.request(method, "/v1/events")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_plain_curl_signs_up_sends_and_listens(server: Server, tmp_path: Path) -> None:
    ann, ben = fresh("ann"), fresh("ben")
    json_header = ("-H", "Content-Type: application/json")
    jars = {name: str(tmp_path / name) for name in (ann, ben)}
    for name, jar in jars.items():
        signed_up = curl("-c", jar, *json_header, "-d", json.dumps({"name": name, "password": PASSWORD}),
                         f"{server.url}/v1/users")  # fmt: skip
        assert json.loads(signed_up)["user"] == name
    command = ["curl", "-sN", "--noproxy", "*", "--max-time", "20", "-b", jars[ben], f"{server.url}/v1/events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as listening:
        try:
            assert listening.stdout is not None
            frames = Frames()
            events: list[Event] = []
            pull(listening.stdout, frames, events, lambda: any(event.name == "hello" for event in events))
            message = json.loads(
                curl(
                    "-b",
                    jars[ann],
                    *json_header,
                    "-d",
                    json.dumps({"to": ben, "text": "from curl\n"}),
                    f"{server.url}/v1/messages",
                )
            )
            pull(listening.stdout, frames, events, lambda: events[-1].name == "message")
            assert message_of(events[-1]) == message
        finally:
            listening.kill()
    refused = curl("-b", jars[ann], "-d", "to=ben&text=hi", "-w", "%{http_code}", f"{server.url}/v1/messages")
    assert refused.endswith("415")
    assert curl("-b", jars[ann], "-X", "DELETE", "-w", "%{http_code}", f"{server.url}/v1/session") == "204"
    assert curl("-b", jars[ann], "-w", "%{http_code}", f"{server.url}/v1/session").endswith("401")
