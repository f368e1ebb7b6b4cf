"""Feeds over sockets: two workers, streams that end and come back, and curl."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from commands import Listening, run
from contract.watch import watch
from e2e.api import HOST, SERIES, Person, fresh, problem, serve, worker_of
from e2e.feed_reader import FeedReader
from serving import Server, until

TOKEN = "the-token-of-the-admin"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
ORIGIN = "https://app.example"


@pytest.fixture(scope="module", params=SERIES[:1])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("feeds")
    (folder / "admin.token").write_text(TOKEN)
    options = ("--admin-token-file", str(folder / "admin.token"), "--allowed-origins", ORIGIN, "--drain-seconds", "0")
    with serve(folder, *options, "--audit-seconds", "60", series=request.param) as running:
        yield running


@pytest.fixture
def admin(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers=ADMIN, timeout=20, trust_env=False) as client:
        yield client


class Feed:
    """A feed, and its admin."""

    def __init__(self, server: Server, admin: httpx.Client, **terms: Any) -> None:
        self.server, self.admin, self.name = server, admin, fresh("feed")
        self.path = f"/v1/feeds/{self.name}"
        self.events = f"{self.path}/events"
        self.put(**{"read": "public", **terms})

    def put(self, **terms: Any) -> None:
        answer = self.admin.put(self.path, json=terms)
        assert answer.is_success, answer.text

    def publish(self, data: Any, **more: Any) -> str:
        answer = self.admin.post(self.events, json={"data": data, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def listen(self, cursor: str | None = None, token: str | None = None, query: str = "") -> FeedReader:
        return FeedReader(self.server, self.events + query, token=token, cursor=cursor)

    def listen_on(self, worker: psutil.Process, cursor: str | None = None) -> FeedReader:
        for _ in range(100):
            reader = self.listen(cursor)
            with contextlib.ExitStack() as stack:
                stack.callback(reader.close)
                if worker_of(self.server, reader.port).pid == worker.pid:
                    stack.pop_all()
                    return reader
        raise AssertionError("the other worker gets all streams")


def curl(*arguments: str, until: str) -> str:
    """What curl prints, up to this text and a little more: a stream does not end."""
    program = shutil.which("curl")
    assert program is not None
    for seconds in (1, 4, 10):
        command = [program, "-sN", "--max-time", str(seconds), *arguments]
        printed = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
        if until in printed:
            return printed
    raise AssertionError(f"there is no {until!r} in {printed!r}")


@pytest.mark.parametrize("server", SERIES, indirect=True)
def test_readers_on_all_workers_get_each_event_once_and_in_order(server: Server, admin: httpx.Client) -> None:
    feed = Feed(server, admin)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(feed.listen_on(worker)) for worker in server.workers()]
        for reader in readers:
            assert reader.first("hello").data == {"feed": feed.name, "resumed": False, "missed": 0}
        for number in range(200):
            feed.publish(number)
        for reader in readers:
            reader.until(lambda it: len(it.named("message")) >= 200)
            assert reader.values == [*range(200)]


def test_a_reader_whose_worker_is_killed_goes_on_where_it_was(server: Server, admin: httpx.Client) -> None:
    feed = Feed(server, admin)
    killed, _ = server.workers()
    with feed.listen_on(killed) as reader:
        reader.first("hello")
        for number in range(10):
            feed.publish(number)
        reader.until(lambda it: len(it.values) == 10)
        killed.kill()
        reader.until(lambda it: it.ended)
        cursor, seen = reader.cursor, reader.values
    published = list(range(10))
    for number in range(10, 20):
        body = {"data": number, "id": f"n{number}"}
        for _ in range(100):  # with the same id, until it is acknowledged
            with contextlib.suppress(httpx.TransportError):
                if admin.post(feed.events, json=body).is_success:
                    published.append(number)
                    break
    with feed.listen(cursor) as again:
        again.first("caught_up")
        assert again.first("hello").data == {"feed": feed.name, "resumed": True, "missed": 10}
        assert seen + again.values == published == [*range(20)]
    until(lambda: len(server.workers()) == 2, 20)


def test_with_curl_alone_a_public_feed_is_read_resumed_and_says_what_is_kept_no_more(
    server: Server, admin: httpx.Client
) -> None:
    feed = Feed(server, admin, keep=3)
    ids = [feed.publish({"n": number}, event="tick") for number in range(6)]
    url = server.url + feed.events
    fresh_one = curl("-i", url, until="event: hello")
    assert "access-control-allow-origin: *" in fresh_one.lower()
    assert "event: tick" not in fresh_one
    resumed = curl(url, "-H", f"Last-Event-ID: {ids[3]}", until="event: caught_up")
    assert [line for line in resumed.splitlines() if line.startswith("id: ")][-2:] == [f"id: {ids[4]}", f"id: {ids[5]}"]
    assert resumed.count("event: tick") == 2
    assert "event: caught_up" in resumed
    expired = curl(f"{url}?last_event_id={ids[0]}", until="event: reset")
    assert f'data: {{"reason":"expired","oldest":"{ids[3]}","newest":"{ids[5]}"}}' in expired
    assert curl(f"{url}?last=2", until="event: caught_up").count("event: tick") == 2
    shown = json.loads(curl(f"{server.url}{feed.path}", until="}"))
    assert [event["data"] for event in shown["events"]] == [{"n": 3}, {"n": 4}, {"n": 5}]


def test_pages_of_any_origin_read_a_public_feed_and_no_other(server: Server, admin: httpx.Client) -> None:
    public, closed = Feed(server, admin), Feed(server, admin, read="users")
    for origin in ("https://anywhere.example", ORIGIN):
        answer = httpx.get(server.url + public.path, headers={"Origin": origin}, trust_env=False)
        allowed = answer.headers.get_list("access-control-allow-origin")
        assert allowed == [origin if origin == ORIGIN else "*"]
        with FeedReader(server, public.events, headers={"Origin": origin}) as reader:
            assert reader.response.headers.get_all("access-control-allow-origin") == allowed
    refused = httpx.get(server.url + closed.path, headers={"Origin": "https://anywhere.example"}, trust_env=False)
    problem(refused, 401, "unauthorized")
    assert "access-control-allow-origin" not in refused.headers


def test_a_browser_without_a_header_reads_a_feed_of_users_with_a_ticket(server: Server, admin: httpx.Client) -> None:
    feed = Feed(server, admin, read="users")
    with Person(server, fresh("alice")) as alice:
        assert alice.http.get("/v1/session").status_code == 200
        ticket = alice.http.post("/v1/tickets", json={}).json()["ticket"]
        with feed.listen(query=f"?ticket={ticket}") as reader:
            reader.first("hello")
            feed.publish("for users")
            reader.until(lambda it: it.values == ["for users"])


def test_who_is_removed_from_a_group_loses_its_feed_at_once_on_every_worker(
    server: Server, admin: httpx.Client
) -> None:
    with Person(server, fresh("alice")) as alice, Person(server, fresh("bob")) as bob:
        for person in (alice, bob):
            assert person.http.get("/v1/session").status_code == 200
        body = {"name": "Plans", "members": [bob.user]}
        group = alice.http.post("/v1/conversations", json=body).json()["id"]
        feed = Feed(server, admin, read="group", group=group)
        with contextlib.ExitStack() as stack:
            theirs = [stack.enter_context(feed.listen(token=bob.token)) for _ in range(6)]
            own = stack.enter_context(feed.listen(token=alice.token))
            for reader in (*theirs, own):
                reader.first("hello")
            removed = alice.http.delete(f"/v1/conversations/{group}/members/{bob.user}")
            assert removed.status_code == 204
            feed.publish("not for bob")
            own.until(lambda it: it.values == ["not for bob"])
            for reader in theirs:
                assert reader.first("bye").data == {"reason": "changed"}
                reader.until(lambda it: it.ended)
                assert reader.values == []
        problem(bob.http.get(feed.events), 403, "not_a_member")


def test_streams_end_when_others_may_read_a_feed_or_it_is_gone(server: Server, admin: httpx.Client) -> None:
    feed = Feed(server, admin)
    with feed.listen() as reader:
        reader.first("hello")
        feed.put(read="public", keep=5)
        feed.put(read="users")
        assert reader.first("bye").data == {"reason": "changed"}
    problem(httpx.get(server.url + feed.events, trust_env=False), 401, "unauthorized")
    with Person(server, fresh("alice")) as alice:
        alice.http.get("/v1/session")
        with feed.listen(token=alice.token) as reader:
            reader.first("hello")
            assert admin.delete(feed.path).status_code == 204
            assert reader.first("bye").data == {"reason": "changed"}
        problem(alice.http.get(feed.events), 404, "unknown_feed")


def test_a_fresh_reader_of_a_feed_with_keys_has_what_there_is_and_then_what_comes(
    server: Server, admin: httpx.Client
) -> None:
    feed = Feed(server, admin, keyed=True)
    for number in range(6):
        feed.publish(number, key=f"k{number % 3}")
    with feed.listen() as reader:
        reader.until(lambda it: it.values == [3, 4, 5])
        feed.publish(6, key="k0")
        reader.until(lambda it: it.values == [3, 4, 5, 6])


def test_a_stream_of_a_feed_that_is_not_public_says_to_no_other_origin_that_it_may_be_read(
    server: Server, admin: httpx.Client
) -> None:
    with Person(server, fresh("alice")) as alice:
        assert alice.http.get("/v1/session").status_code == 200
        for read, allowed in (("users", None), ("public", "*")):
            feed = Feed(server, admin, read=read)
            with feed.listen(token=alice.token) as reader:
                assert reader.response.headers.get("access-control-allow-origin") == allowed


def test_a_slow_reader_sees_the_newest_of_each_key_soon_and_not_all_that_was_replaced(
    server: Server, admin: httpx.Client
) -> None:
    feed = Feed(server, admin, keyed=True)
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with slow, feed.listen() as quick:
        slow.connect((HOST, server.port))
        slow.settimeout(10)
        slow.sendall(f"GET {feed.events} HTTP/1.0\r\nHost: chat\r\n\r\n".encode())
        got = slow.recv(4096)
        quick.first("hello")
        rounds = 120
        for number in range(rounds):
            for key in range(10):
                feed.publish({"n": number, "pad": "x" * 10_000}, key=f"k{key}")
        quick.until(lambda it: len({event.data["key"] for event in it.named("message")}) == 10)
        quick.until(lambda it: it.named("message")[-1].data["data"]["n"] == rounds - 1)
        newest: dict[str, int] = {}
        events = 0
        began = time.monotonic()
        while len(newest) < 10 or set(newest.values()) != {rounds - 1}:
            got += slow.recv(65536)
            *frames, got = got.split(b"\n\n")
            for frame in frames:
                fields = dict(line.split(": ", 1) for line in frame.decode().split("\n") if ": " in line)
                if fields.get("event") == "message":
                    watch().event_of_feed(
                        {name: value for name, value in fields.items() if name in ("event", "data", "id")}
                    )
                    item = json.loads(fields["data"])
                    assert item["data"]["n"] >= newest.get(item["key"], -1), "nothing old comes after something new"
                    newest[item["key"]] = item["data"]["n"]
                    events += 1
        assert time.monotonic() - began < 5
        # The newest of each key, and what waited when it became slow: little, in the kernel as well.
        assert events < 60, "what was replaced is not sent"


def test_the_commands_make_fill_show_and_delete_a_feed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "admin").write_text(TOKEN)
    at = ("--server", server.url)
    admin = (*at, "--admin-token-file", str(tmp_path / "admin"))
    name = fresh("prices")
    made = run("feed", "create", name, "--keyed", *admin)
    assert (made.returncode, made.stdout) == (0, f"{name}  read by public, keeps the newest of each key\n"), made.stderr
    published = run("feed", "publish", name, "101.5", "--key", "AAPL", "--id", "one", *admin)
    assert published.stdout.startswith("published as 1-")
    again = run("feed", "publish", name, "101.5", "--key", "AAPL", "--id", "one", *admin)
    assert again.stdout == published.stdout
    run("feed", "publish", name, "--key", "MSFT", "--text", "a lot", *admin)
    shown = run("feed", "show", name, *at)
    assert [line.split(" ", 1)[1] for line in shown.stdout.splitlines()] == ["AAPL = 101.5", "MSFT = a lot"], shown
    run(
        "feed",
        "publish",
        name,
        "--key",
        "AAPL",
        "--delete",
        SSECHAT_ADMIN_TOKEN_FILE=str(tmp_path / "admin"),
        SSECHAT_SERVER=server.url,
    )
    only = run("feed", "show", name, "--json", *at)
    assert [json.loads(line)["key"] for line in only.stdout.splitlines()] == ["MSFT"]
    deleted = run("feed", "delete", name, *admin)
    assert (deleted.returncode, deleted.stdout) == (0, f"there is no feed {name} now\n")
    gone = run("feed", "show", name, *admin)
    assert gone.returncode == 1
    assert f"There is no feed '{name}'" in gone.stderr


def test_listen_prints_what_is_published_until_it_is_interrupted(server: Server, admin: httpx.Client) -> None:
    feed = Feed(server, admin)
    feed.publish({"home": 1}, event="goal")
    for options in ((), ("--json",)):
        listening = Listening(server, feed.name, "--last", "1", *options, command=("feed", "listen"))
        lines = [listening.line() for _ in range(3 if options else 1)]
        feed.publish("hi")
        lines.append(listening.line())
        code, err = listening.end()
        assert (code, err.count("Traceback")) == (130, 0)
        if options:
            assert [json.loads(line)["event"] for line in lines] == ["hello", "goal", "caught_up", "message"]
        else:
            assert lines[0].endswith('goal  {"home": 1}\n')
            assert lines[1].endswith(" hi\n")
        feed = Feed(server, admin)
        feed.publish({"home": 1}, event="goal")
