"""Servers of two workers whose tokens somebody else signs: an OpenID provider, and an issuer that rotates its keys."""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e.api import Person, Reader, problem, serve
from issuers import Issuer, IssuerKey
from oidc_provider import CLIENT_ID, provider
from serving import ROOT, environment, until

ANN = {"sub": "f:9d2c:1001", "preferred_username": "Ann", "name": "Ann Lee", "email": "ann@example.com"}
BOB = {"sub": "f:9d2c:1002", "preferred_username": "bob", "name": "Боб", "email": "bob@example.com"}


def on_each_worker(server: Any, person: Person, token: str) -> list[int]:
    """The status that each worker answers this token with."""
    headers = {"Authorization": f"Bearer {token}"}
    return [person.on(worker).http.get("/v1/session", headers=headers).status_code for worker in server.workers()]


def test_people_who_signed_in_at_an_openid_provider_chat_under_its_names(tmp_path: Path) -> None:
    with provider(ANN, BOB) as openid:
        options = {
            "SSECHAT_JWKS_URL": openid.jwks_url,
            "SSECHAT_JWT_ISSUER": openid.issuer,
            "SSECHAT_JWT_AUDIENCE": CLIENT_ID,
            "SSECHAT_JWT_USER_CLAIM": "preferred_username",
        }
        tokens = {name: openid.sign_in(str(user["sub"])) for name, user in (("ann", ANN), ("bob", BOB))}
        with serve(tmp_path, **options) as server, contextlib.ExitStack() as stack:
            assert not (server.data / "jwt.key").exists()
            ann, bob = (stack.enter_context(Person(server, name, token)) for name, token in tokens.items())
            one, other = server.workers()
            with bob.listen_on(one) as stream:
                assert stream.first("hello").data["user"] == "bob"
                ann.on(other).say("hi", "bob")
                assert stream.messages(1)[0]["sender"] == "ann"
            assert ann.http.get("/v1/session").json() == {"user": "ann", "display_name": "Ann Lee"}
            assert ann.http.get("/v1/users/bob").json()["display_name"] == "Боб"
            # A token of the same provider for another application.
            foreign = openid.sign_in(str(ANN["sub"]), client_id="another-app")
            assert on_each_worker(server, ann, foreign) == [401, 401]
            command = [sys.executable, "-m", "ssechat", "token", "ann", "--data", str(server.data)]
            minted = subprocess.run(command, capture_output=True, text=True, env=environment(options))
            assert minted.returncode == 2
            assert "SSECHAT_JWKS_URL" in minted.stderr
            assert "Traceback" not in server.errors


def test_an_issuer_replaces_its_keys_while_people_chat(tmp_path: Path) -> None:
    old, new = IssuerKey("2026-10", "RS256"), IssuerKey("2026-11")
    with (
        Issuer(old) as issuer,
        serve(tmp_path, "--drain-seconds", "0", SSECHAT_JWKS_URL=issuer.url) as server,
        Person(server, "ann", old.sign("ann")) as ann,
        Reader(server, old.sign("bob")) as stream,
    ):
        stream.first("hello")
        ann.say("before", "bob")
        issuer.publish(new, old)
        assert on_each_worker(server, ann, new.sign("ann")) == [200, 200]
        assert on_each_worker(server, ann, old.sign("ann")) == [200, 200]
        ann.say("after", "bob")
        assert [message["text"] for message in stream.messages(2)] == ["before", "after"]
        assert issuer.requests == 4
        for number in range(20):
            stranger = IssuerKey("unknown").renamed(f"made up {number}").sign("ann")
            assert on_each_worker(server, ann, stranger) == [401, 401]
        assert issuer.requests == 4

        # A replacement of the workers begins with the keys as they are now.
        issuer.publish(new)
        before = {worker.pid for worker in server.workers()}
        server.send_signal(signal.SIGHUP)
        until(lambda: "rolling restart done" in server.errors, 30)
        assert before.isdisjoint(worker.pid for worker in server.workers())
        assert on_each_worker(server, ann, old.sign("ann")) == [401, 401]
        assert on_each_worker(server, ann, new.sign("ann")) == [200, 200]

        # And does not happen while nobody can say which those are.
        issuer.stop()
        server.send_signal(signal.SIGHUP)
        until(lambda: "rolling restart given up" in server.errors, 30)
        assert "cannot be fetched: Connection refused" in server.errors
        assert on_each_worker(server, ann, new.sign("ann")) == [200, 200]
        assert "Traceback" not in server.errors


def test_a_server_starts_without_its_issuer_and_serves_when_it_is_there(tmp_path: Path) -> None:
    key = IssuerKey("k", "EdDSA")
    with Issuer(key) as issuer:
        issuer.stop()
        with serve(tmp_path, SSECHAT_JWKS_URL=issuer.url) as server, Person(server, "ann", key.sign("ann")) as ann:
            answer = ann.http.get("/v1/session")
            problem(answer, 503, "issuer_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert ann.http.get("/healthz/ready").json()["checks"]["keys"] is False
            issuer.start()
            workers = server.workers()
            until(lambda: all(ann.on(one).http.get("/healthz/ready").status_code == 200 for one in workers), 40)
            assert on_each_worker(server, ann, key.sign("ann")) == [200, 200]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"SSECHAT_JWKS_URL": "http://id.example/certs"}, "https"),
        ({"SSECHAT_JWKS_URL": "https://id.example/certs", "SSECHAT_JWT_SECRET": "s" * 40}, "give either"),
    ],
)
def test_a_server_does_not_start_with_settings_that_cannot_be_meant(
    tmp_path: Path, given: dict[str, str], text: str
) -> None:
    command = [sys.executable, "-m", "ssechat", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(given), timeout=60)
    assert done.returncode == 2, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def key_command(server: Any, *arguments: str) -> str:
    command = [sys.executable, "-m", "ssechat", "key", *arguments, "--data", str(server.data)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment()).stdout


def test_the_servers_own_key_is_replaced_while_people_chat_and_nobody_is_signed_out(tmp_path: Path) -> None:
    with serve(tmp_path, "--drain-seconds", "0") as server, contextlib.ExitStack() as stack:
        ann, bob = (stack.enter_context(Person(server, name)) for name in ("ann", "bob"))
        sent: list[str] = []
        with bob.listen() as stream:
            stream.first("hello")
            cursor = stream.cursor

        def chat(text: str, *people: Person) -> None:
            for person in people:
                for worker in server.workers():
                    person.on(worker).say(f"{text} {len(sent)}", "bob")
                    sent.append(f"{text} {len(sent)}")

        def roll() -> None:
            done = server.errors.count("rolling restart done")
            server.send_signal(signal.SIGHUP)
            until(lambda: server.errors.count("rolling restart done") > done, 30)

        chat("before", ann)
        assert key_command(server, "list").split()[1:] == ["signs"]
        assert "only verifies so far" in key_command(server, "rotate")
        chat("the file has two keys", ann)
        roll()
        assert "signs now" in key_command(server, "rotate")
        # The command line signs with the new key, and no worker does yet.
        minted = subprocess.run(
            [sys.executable, "-m", "ssechat", "token", "ann", "--data", str(server.data)],
            check=True,
            capture_output=True,
            text=True,
            env=environment(),
        ).stdout.strip()
        newer = stack.enter_context(Person(server, "ann", minted))
        chat("both keys count", ann, newer)
        roll()
        chat("after", ann, newer)
        with bob.listen(cursor) as stream:
            stream.messages(len(sent))
            assert stream.texts == sent
        listed = key_command(server, "list").splitlines()
        assert [line.split()[1] for line in listed] == ["signs", "verifies:"]
        # The former key is leaked: what it signed counts no more.
        key_command(server, "rotate")
        roll()
        key_command(server, "rotate", "--days", "0")
        roll()
        assert on_each_worker(server, ann, ann.token) == [200, 200]  # signed with the first key, whose time is not over
        assert on_each_worker(server, ann, minted) == [401, 401]


def test_the_recipe_for_keycloak_names_settings_and_claims_that_there_are() -> None:
    text = (ROOT / "deploy" / "README.md").read_text().partition("### Keycloak")[2].partition("\n### ")[0]
    assert "SSECHAT_JWKS_URL" in text
    claims = json.loads(text.partition("```json")[2].partition("```")[0])
    assert {"aud", "iss", "sub", "preferred_username", "name", "exp"} <= set(claims)
