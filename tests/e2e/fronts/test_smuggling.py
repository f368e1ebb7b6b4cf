"""Request smuggling among honest requests: no client gets another one's response."""

import contextlib
import json
import os
import re
import socketserver
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.fronting import Front
from e2e.api import fresh, mint
from e2e.fronts.attacks import Attacker
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.honest import Honest
from e2e.fronts.listener import Listener
from e2e.fronts.recorder import header_lines
from e2e.fronts.stack_front import EVERY, make_front
from serving import until

SECONDS = float(os.environ.get("SMUGGLING_SECONDS", "4"))
"""For each front; the variable is for a longer search."""

ATTACKS = 300
"""At least, for each front; and five times as many honest requests."""

PEOPLE = 5


@pytest.fixture(scope="module")
def logging_apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Servers that log each request that they carry out."""
    with some_apps(tmp_path_factory.mktemp("smuggling"), 15, "--access-log", "on") as running:
        yield running


@pytest.mark.parametrize("kind", EVERY)
def test_request_smuggling_no_response_or_cookie_reaches_another_client(
    kind: str, logging_apps: Apps, tmp_path: Path
) -> None:
    users = [fresh("honest") for _ in range(PEOPLE)]
    mallory = {"name": fresh("mallory"), "password": "correct horse"}
    with make_front(kind, tmp_path / kind, logging_apps.addresses) as front:
        signed_up = httpx.post(f"{front.url}/v1/users", json=mallory, verify=front.trust(), trust_env=False)
        assert signed_up.status_code == 201
        people = Honest(front, {user: mint(logging_apps.first, user) for user in users})
        attacker = Attacker(front, mallory, signed_up.json()["token"])
        with people, attacker:
            began = time.monotonic()
            until(
                lambda: (
                    time.monotonic() - began >= SECONDS
                    and attacker.counts.total() >= ATTACKS
                    and people.answers >= 5 * ATTACKS
                ),
                seconds=SECONDS + 40,
            )
    log = "".join(server.errors for server in logging_apps.servers)
    done = re.findall(rf"request (smuggled-{mallory['name']}-\d+)", log)
    carried_out = {name: attacker.hidden[name] for name in done if name in attacker.hidden}
    print(
        f"\n{kind}: {attacker.counts.total()} attacks {dict(attacker.counts)}, {people.answers} honest answers, "
        f"{len(people.misplaced)} misplaced, {dict(people.failed)} failed; hidden requests carried out: "
        f"{len(carried_out)} of {len(attacker.hidden)}"
    )
    assert people.misplaced == []
    assert carried_out == {}
    # A front answers 502 where the app had to close a connection, but it does so to the attacker.
    assert people.failed.total() <= people.answers / 1000


class Gullible(Listener):
    """An app for which a request ends with its head when it offers an Upgrade."""

    def serve(self, handler: socketserver.StreamRequestHandler) -> None:
        with contextlib.suppress(OSError):
            while handler.rfile.readline():
                fields = dict(header_lines(handler.rfile))
                if "upgrade" not in fields:
                    handler.rfile.read(int(fields.get("content-length", "0")))
                who = json.dumps({"user": fields.get("authorization", "").removeprefix("Bearer ")}).encode()
                head = (
                    f"HTTP/1.1 200 OK\r\nX-Request-ID: {fields.get('x-request-id')}\r\nContent-Length: {len(who)}\r\n"
                )
                handler.wfile.write(head.encode() + b"\r\n" + who)


class Careless(Front):
    """A Caddy that passes on what it gets."""

    def _fill_in(self) -> Path:
        options = (
            "admin off",
            "default_bind {$FRONT_ADDRESS}",
            "http_port {$FRONT_HTTP_PORT}",
            "https_port {$FRONT_PORT}",
        )
        site = ("tls {$FRONT_TLS}", "reverse_proxy {$FRONT_APP_1}")
        own = self.folder / "Caddyfile"
        own.write_text("\n".join(("{", *options, "}", "https://{$FRONT_HOST} {", *site, "}", "")))
        return own


@pytest.mark.made_up  # by a gullible app
def test_request_smuggling_a_swapped_response_would_be_noticed(tmp_path: Path) -> None:
    people = {name: name for name in ("ann", "ben", "cleo")}
    with (
        Gullible() as app,
        Careless("caddy", tmp_path / "front", [f"127.0.0.1:{app.port}"]) as front,
        Honest(front, people) as honest,
        Attacker(front, {"name": "mallory", "password": "none"}, "mallory"),
    ):
        until(lambda: [each for each in honest.misplaced if "smuggled-mallory-" in each], seconds=60)
