import re
from importlib import resources

import pytest

from parts import Worker
from ssechat.redis.lua import load_script, with_values

NUMBERS = re.compile(r"^local [A-Z_, ]+ = \d", re.M)


def test_a_constant_of_a_script_is_its_value() -> None:
    script = "local KEY, FIELD = 2, 'head'  -- of it\nreturn redis.call('HGET', KEYS[k + KEY], FIELD)"
    assert with_values(script) == "\nreturn redis.call('HGET', KEYS[k + 2], 'head')"


def test_a_constant_has_the_value_of_the_declaration_before_it() -> None:
    script = "local LOG = 1\nlocal function log() return LOG end\nlocal LOG = 2\nreturn LOG"
    assert with_values(script) == "\nlocal function log() return 1 end\n\nreturn 2"


def test_strings_and_comments_with_the_name_of_a_constant_stay() -> None:
    script = "local COUNT = 3\nreturn call('XRANGE', 'COUNT', COUNT)  -- COUNT"
    assert with_values(script) == "\nreturn call('XRANGE', 'COUNT', 3)  -- COUNT"


def test_a_constant_that_is_a_product_stays_one() -> None:
    assert with_values("local DAY = 24 * 3600\nreturn seconds / DAY") == "\nreturn seconds / (24 * 3600)"


def test_a_name_that_is_no_literal_is_none_of_the_constants() -> None:
    script = "local TAGS, NOW = {'00'}, redis.call('TIME')\nlocal later = NOW"
    assert with_values(script) == script


@pytest.mark.parametrize("path", [p for p in resources.files("ssechat.logs").iterdir() if p.name.endswith(".lua")])
def test_no_constant_of_a_script_costs_a_call_anything(path: resources.abc.Traversable) -> None:
    assert not NUMBERS.search(with_values(path.read_text("utf-8")))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("number", "after"),
    [("0", "1"), ("8", "9"), ("9", "10"), ("19", "20"), ("99", "100"), ("1234567890122", "1234567890123")],
)
@pytest.mark.parametrize("tag", ["", "-0", "-12345678901234567"])
async def test_the_number_after_an_entry_is_one_larger(worker: Worker, number: str, after: str, tag: str) -> None:
    script = load_script("ssechat.logs.delivery", "common.lua") + "\nreturn {after(ARGV[1])}"
    found, *tenth = await worker.redis.call("EVAL", script, 0, number + tag)
    assert (found.decode(), tenth) == (after, [1] if after.endswith("0") else [None])
