"""Attacks on where a request ends, among honest requests: nobody gets what is another's."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from e2e.api import fresh, mint
from e2e.fronts.attacks import Attacker
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.honest import Honest
from e2e.fronts.stack_front import EVERY, make_front
from serving import until

SECONDS = float(os.environ.get("SMUGGLING_SECONDS", "8"))
"""For each front; the variable is for a longer search."""

ATTACKS = 200
"""At least, for each front; and five times as many honest requests."""

PEOPLE = 5


@pytest.fixture(scope="module")
def logging_apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Servers that log each request that they carry out."""
    with some_apps(tmp_path_factory.mktemp("smuggling"), 15, "--access-log", "on") as running:
        yield running


@pytest.mark.parametrize("kind", EVERY)
def test_no_answer_and_no_cookie_goes_to_another_than_who_asked(kind: str, logging_apps: Apps, tmp_path: Path) -> None:
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
