"""A server of several processes whose Redis user has the documented rights, has fewer, or loses some."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from e2e.api import Person, direct
from redises import RedisProcess, releases
from serving import ROOT, Server, until

STRICT = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture(params=releases())
def process(request: pytest.FixtureRequest) -> Iterator[RedisProcess]:
    found = RedisProcess(request.param, STRICT)
    yield found
    found.close()


def documented_words() -> list[str]:
    """The rights that deploy/README.md grants a user."""
    found = re.search(r"ACL SETUSER chat on >PASSWORD (.*)", (ROOT / "deploy" / "README.md").read_text())
    assert found is not None
    return found[1].split()


def set_rights(process: RedisProcess, *words: str) -> None:
    with process.client() as client:
        client.execute_command("ACL", "SETUSER", "chat", *words)


def given(process: RedisProcess, *words: str) -> str:
    """The URL of a user with the documented rights, changed by these words of ACL SETUSER."""
    set_rights(process, "reset", "on", ">s3cret", *documented_words(), *words)
    return process.url.replace("unix://", "unix://chat:s3cret@")


def started(folder: Path, url: str) -> Server:
    """Starts a server with the URL in its environment."""
    options = ("--workers", "2", "--drain-seconds", "0", "--audit-seconds", "1")
    return Server(folder / "data", *options, extra_environment={"SSECHAT_REDIS_URL": url})


def ready(person: Person) -> bool:
    return person.http.get("/healthz/ready").status_code == 200


def test_with_exactly_the_documented_rights_everything_works_and_nothing_is_refused(
    process: RedisProcess, tmp_path: Path
) -> None:
    with started(tmp_path, given(process)) as server, ExitStack() as stack:
        browser = stack.enter_context(httpx.Client(base_url=server.url, timeout=20, trust_env=False))
        account = {"name": "Carol", "password": "correct horse"}
        assert browser.post("/v1/users", json=account).status_code == 201
        token = browser.post("/v1/session", json={**account, "name": "carol"}).json()["token"]
        carol = stack.enter_context(Person(server, "carol", token))
        alice = stack.enter_context(Person(server, "alice"))
        assert alice.http.get("/v1/session").status_code == 200
        ticket = carol.http.post("/v1/tickets", json={}).json()["ticket"]
        stream = stack.enter_context(carol.listen())
        by_ticket = stack.enter_context(type(stream)(server, None, query=f"?ticket={ticket}"))
        for each in (stream, by_ticket):
            each.live()
        sent = [alice.say(f"m{number}", "Carol", f"id {number}") for number in range(5)]
        assert alice.post("m0", "Carol", "id 0").status_code == 200
        assert stream.messages(5) == sent
        assert by_ticket.messages(5) == sent
        with carol.listen("0-0") as again:
            assert again.messages(5) == sent
        assert carol.history("alice") == sent
        [conversation] = carol.http.get("/v1/conversations").json()["conversations"]
        assert conversation["id"] == direct("alice", "carol")
        assert "ssechat_redis_refused_workers 0.0" in carol.http.get("/metrics").text
        assert ready(carol)
        assert carol.http.delete("/v1/session").status_code in (200, 204)
        for each in (stream, by_ticket):
            assert each.first("bye").data == {"reason": "signed_out"}
        counted = alice.http.get("/metrics").text
        refused = re.findall(r"ssechat_redis_refusals_total\{[^}]*\} ([0-9.]+)", counted)
        assert refused
        assert set(refused) == {"0.0"}
        assert "refuse" not in server.errors
        assert "s3cret" not in server.errors + server.output


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("-publish", "may not call PUBLISH. What allows it: ACL SETUSER chat +publish"),
        ("resetchannels", r"ACL SETUSER chat &{u* &{f* &ssechat:*"),
        ("-evalsha", "ACL SETUSER chat +evalsha"),
    ],
)
def test_without_a_right_that_is_needed_it_does_not_start_and_says_which(
    process: RedisProcess, tmp_path: Path, word: str, named: str
) -> None:
    server = started(tmp_path, given(process, word))
    try:
        assert server.process.wait(30) == 2
        assert named in server.errors
        assert "s3cret" not in server.errors
        assert "Traceback" not in server.errors
        assert "is ready" not in server.output
    finally:
        server.close()


def test_a_right_taken_away_from_a_running_server_shows_in_readiness_and_the_log_and_loses_nothing(
    process: RedisProcess, tmp_path: Path
) -> None:
    with started(tmp_path, given(process)) as server, ExitStack() as stack:
        alice, bob = (stack.enter_context(Person(server, name)) for name in ("alice", "bob"))
        assert bob.http.get("/v1/session").status_code == 200
        until(lambda: ready(alice))
        stream = stack.enter_context(bob.listen()).live()
        set_rights(process, "-publish")
        sent = [alice.say("unheard", "bob", "1")]  # acknowledged: the wake-up was only a hint
        assert stream.messages(1) == sent  # found by the audit
        until(lambda: not ready(alice))
        set_rights(process, "+publish", "-hset")
        refused = alice.post("refused", "bob", "2")
        assert refused.status_code == 503
        assert "(NOPERM)" in refused.json()["detail"]
        until(lambda: "chat +hset" in server.errors)
        set_rights(process, "+hset")
        until(lambda: ready(alice))
        sent.append(alice.say("refused", "bob", "2"))
        sent.append(alice.say("after", "bob", "3"))
        assert stream.messages(3) == sent
        assert not stream.ended
        for right in ("publish", "hset"):
            found = re.findall(rf"ssechat\[(\d+)\] ERROR: .*ACL SETUSER chat \+{right}\n", server.errors)
            assert found, server.errors
            assert len(found) == len(set(found)), "a worker said it twice"
        for secret in ("s3cret", "unheard", "{u", "dm:"):
            assert secret not in server.errors


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret@127.0.0.1:1/0?socket_timeout=abc",
        "redis://:s3cret@127.0.0.1:1/0?foo=bar",
        "redis://:s3cret@127.0.0.1:1/0?decode_responses=true",
        "redis://:s3cret@127.0.0.1:1/0?protocol=3",
        "redis://:s3cret/more@127.0.0.1:1/0",
        "redis://:s3cret@127.0.0.1:port",
        "redis://:s3cret@127.0.0.1:1/0",
        "rediss://:s3cret@127.0.0.1:1/0?ssl_ca_certs=/nowhere",
        "unix://:s3cret@/nowhere/redis.sock",
        "redis://:s3cret@ho..st",
    ],
)
def test_a_url_that_cannot_be_used_is_a_sentence_and_no_traceback(tmp_path: Path, url: str) -> None:
    server = Server(tmp_path / "data", "--redis-url", url)
    try:
        assert server.process.wait(30) == 2
        assert server.errors.startswith("ssechat: ")
        assert len(server.errors.splitlines()) == 1
        assert "s3cret" not in server.errors
    finally:
        server.close()
