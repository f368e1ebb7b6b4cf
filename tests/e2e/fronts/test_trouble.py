"""Fronts and servers that are reloaded, restarted and killed while people talk."""

import signal
from pathlib import Path

import pytest

from bench.fronting import KINDS, Front
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.crowd import Crowd

RELOAD_SECONDS = 2


def test_a_front_that_is_reloaded_under_load_loses_doubles_and_misorders_nothing(front: Front, apps: Apps) -> None:
    with Crowd(front, apps.first) as crowd:
        for _ in range(2):
            front.reload()
            crowd.hears(10)
    crowd.check()
    print(f"\n{front.kind} reloaded twice: {crowd.report()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_front_that_is_restarted_under_load_loses_doubles_and_misorders_nothing(
    front: Front, apps: Apps, number: signal.Signals
) -> None:
    with Crowd(front, apps.first) as crowd:
        front.stop(number)
        front.start()
        crowd.hears(10)
    crowd.check()
    print(f"\n{front.kind} restarted by {number.name}: {crowd.report()}")


def test_servers_whose_workers_are_replaced_under_load_are_not_missed(front: Front, apps: Apps) -> None:
    with Crowd(front, apps.first) as crowd:
        for server in apps.servers:
            before = {worker.pid for worker in server.workers()}
            server.send_signal(signal.SIGHUP)
            while before & {worker.pid for worker in server.workers()}:
                crowd.hears(1)
        crowd.hears(10)
    crowd.check()
    print(f"\nworkers behind {front.kind} replaced: {crowd.report()}")


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_two_servers_killed_and_started_again_under_load_is_not_missed(kind: str, tmp_path: Path) -> None:
    with some_apps(tmp_path, ping_seconds=1) as apps, Front(kind, tmp_path / kind, apps.addresses) as front:
        victim = apps.servers[1]
        with Crowd(front, apps.first) as crowd:
            victim.close()
            crowd.hears(20)  # all of them are at the other one now
            with apps.serve("two", port=int(apps.addresses[1].rpartition(":")[2])):
                crowd.hears(20)
        crowd.check()
        print(f"\none of two servers behind {kind} killed: {crowd.report()}")
