"""Each client, through each disturbance: every message once, and in order."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .cutting import anywhere, last_line_feed
from .disturbances import DISTURBANCES
from .programs import CLIENTS, missing
from .run import CUT, CUT_AT_THE_END, CUTS, KEEP_IDS_EARLY, judge, run


@pytest.mark.parametrize("disturbance", [*DISTURBANCES, CUT])
def test_no_client_loses_doubles_or_swaps_a_message(disturbance: str, tmp_path: Path) -> None:
    assert missing() == []
    outcomes = run(disturbance, tmp_path, messages=300)
    assert {client: str(outcome) for client, outcome in outcomes.items() if not outcome.flawless} == {}
    if disturbance in CUTS:
        assert [client for client, outcome in outcomes.items() if outcome.cuts < 3] == []


def test_between_the_line_of_an_id_and_the_blank_line_only_two_clients_can_lose_a_message(tmp_path: Path) -> None:
    outcomes = run(CUT_AT_THE_END, tmp_path, messages=150)
    told = {client: str(outcome) for client, outcome in outcomes.items() if client not in KEEP_IDS_EARLY}
    assert told == dict.fromkeys(told, "–")
    assert [client for client, outcome in outcomes.items() if not outcome.cuts] == []


EVENT = b"23\r\nevent: message\ndata: {}\nid: 1-2\n\n\r\n"


@pytest.mark.parametrize(("offsets", "count"), [(anywhere, len(EVENT) - 1), (last_line_feed, 1)])
def test_an_event_is_cut_at_every_byte(offsets: Callable[[bytes], Iterator[int]], count: int) -> None:
    found = set(offsets(EVENT))
    assert len(found) == count
    assert (EVENT.index(b"\n\n\r\n") + 1 in found) is (offsets is last_line_feed)


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (["warm-up 1", "a", "b", "c"], "–"),
        (["a", "c"], "1 lost"),
        (["a", "b", "b", "c"], "1 twice"),
        (["b", "a", "c"], "1 out of order"),
        (["a", "b", "c", "no message: ''"], "1 that are none"),
        ([], "3 lost"),
    ],
)
def test_what_a_client_lost_had_twice_or_out_of_order_is_seen(got: list[str], told: str) -> None:
    assert str(judge(["a", "b", "c"], got)) == told


def test_the_readme_has_a_line_for_each_client() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert [client for client in CLIENTS if f"\n| {client} |" not in readme] == []
