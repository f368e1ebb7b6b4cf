"""`ssechat doctor`: it complains of each fault of a front, of that alone, and of nothing where nothing is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fronting import ChangedFront
from e2e.api import fresh, mint
from e2e.fronts.broken import FAULTS, IMPATIENT, WRONG, Fault
from e2e.fronts.conftest import Apps, some_apps
from e2e.fronts.crooked import Crooked, Habit
from e2e.fronts.examining import ORIGIN, SIGN_UP, a_site, complaints, examined, through
from e2e.fronts.stack_front import EVERY, make_front
from ssechat.doctor.checks.exposure import Upgrade
from ssechat.doctor.examination import CHECKS
from ssechat.doctor.visitor import Credential

pytestmark = pytest.mark.anyio

CROOKED: dict[Habit, dict[str, str]] = {
    "smuggles": {"upgrade": WRONG},
    "tunnels": {"upgrade": WRONG},
    "switches": {"upgrade": WRONG},
    "says nothing": {"upgrade": WRONG},
    "is late": {"clock": WRONG},
    "is old": {"keep-alive": WRONG},
    "holds all back": {"buffering": WRONG},
    "encodes twice": {"paths": WRONG},
}
"""The habits of a front in Python, and the checks that must notice."""

ELSEWHERE = {"certificate", "https", "addresses", "readiness"}
"""Checks whose fault is none of a front's configuration: each has a test of its own below."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop of the command."""
    return "asyncio", {}


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """Two servers that ping every second or two, and let one other origin in."""
    with some_apps(tmp_path_factory.mktemp("doctor"), 1, "--allowed-origins", ORIGIN) as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was smuggled is answered at once, or never, on one machine."""
    monkeypatch.setattr(Upgrade, "PATIENCE", 0.3)


@pytest.mark.parametrize("kind", EVERY)
async def test_nothing_is_wrong_with_a_front_as_it_is_shipped(
    kind: str, apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_front(kind, tmp_path / kind, apps.addresses) as front:
        found = await through(front, monkeypatch, quick=False)
    assert complaints(found) == {}
    skipped = {name for name, finding in found.items() if finding.verdict == "skipped"}
    assert skipped == {"addresses"}
    assert set(found) == {check.name for check in CHECKS}


async def test_nothing_is_wrong_with_a_server_without_a_front(apps: Apps) -> None:
    async with a_site(apps.first.url, SIGN_UP, quick=False) as site:
        found = await examined(site)
    assert complaints(found) == {}
    skipped = {name for name, finding in found.items() if finding.verdict == "skipped"}
    assert skipped == {"certificate", "https", "redirect", "addresses", "http2", "scheme", "forwarded"}


@pytest.mark.made_up  # such a front changes answers
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_fault_of_a_front_is_noticed_and_nothing_else(
    fault: Fault, apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChangedFront(fault.kind, tmp_path / "front", apps.addresses, fault.changes) as front:
        found = await through(front, monkeypatch)
    assert complaints(found) == fault.noticed, {name: found[name].said for name in complaints(found)}


@pytest.mark.made_up  # such a front changes answers
@pytest.mark.parametrize("fault", IMPATIENT, ids=str)
async def test_a_time_out_shorter_than_a_ping_is_noticed(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apps").mkdir()
    with (
        some_apps(tmp_path / "apps", 4, "--allowed-origins", ORIGIN) as apps,
        ChangedFront(fault.kind, tmp_path / "front", apps.addresses, fault.changes) as front,
    ):
        token = mint(apps.first, fresh("alice"))  # a sign-up can take longer than such a front waits
        found = await through(front, monkeypatch, Credential(lambda: token), quick=False)
    assert complaints(found) == fault.noticed, {name: found[name].said for name in complaints(found)}


@pytest.mark.made_up  # such a front changes answers
@pytest.mark.parametrize("habit", CROOKED)
async def test_a_bad_habit_of_a_front_is_noticed_and_nothing_else(habit: Habit, apps: Apps) -> None:
    token = mint(apps.first, fresh("alice"))
    with Crooked(apps.addresses[0], habit) as front:
        async with a_site(front.url, Credential(lambda: token), seconds=2) as site:
            found = await examined(site)
    assert complaints(found) == CROOKED[habit], {name: found[name].said for name in complaints(found)}


def test_each_check_is_seen_to_fail() -> None:
    noticed = {name for fault in (*FAULTS, *IMPATIENT) for name in fault.noticed}
    noticed |= {name for names in CROOKED.values() for name in names}
    assert noticed | ELSEWHERE == {check.name for check in CHECKS}
    assert noticed & ELSEWHERE == set()
