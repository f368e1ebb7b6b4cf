"""The names of keys: buckets, and the keys that scripts access."""

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

import ssechat
from ssechat.events.kinds import KINDS, Replay
from ssechat.ids import UserId, direct_conversation, user_id
from ssechat.redis import keys, packed_keys
from ssechat.redis.packed import pack

SOURCES = Path(ssechat.__file__).parent
USERS = st.from_regex(r"[a-z0-9_][a-z0-9_.@|+~-]{0,30}", fullmatch=True).map(UserId)


def slots(names: Iterable[str]) -> set[int]:
    return {key_slot(name.encode()) for name in names}


@given(one=USERS, other=USERS)
def test_all_keys_of_a_conversation_or_of_a_user_are_in_one_slot_of_a_cluster(one: UserId, other: UserId) -> None:
    conversation = direct_conversation(one, other)
    of_group = (*keys.of_group(conversation), keys.reactions(conversation))
    assert len(slots((*keys.of_conversation(conversation), *keys.sent(conversation, 2900), *of_group))) == 1
    of_user = (keys.blocks(one), keys.sessions(one), keys.watch_lists(one))
    assert len(slots((*keys.of_user(one), keys.user(one), keys.live(one), *of_user))) == 1
    assert len(slots((*keys.of_feed(one), keys.feed(one), keys.live_feed(one)))) == 1
    assert keys.user(one) == keys.of_user(one).user


@given(one=USERS, other=USERS)
def test_a_bucket_is_redis_clusters_own_hash_of_the_id(one: UserId, other: UserId) -> None:
    for name in (one, direct_conversation(one, other)):
        assert keys.bucket(name) == key_slot(name.encode()) % keys.BUCKETS


@given(names=st.lists(USERS, min_size=2, max_size=6, unique=True))
def test_no_two_things_share_a_key(names: list[UserId]) -> None:
    made: list[str] = []
    for name in names:
        made += (*keys.of_user(name), keys.blocks(name), keys.sessions(name), keys.watch_lists(name))
        made += keys.of_feed(name)
    for one, other in pairwise(names):
        made += keys.of_conversation(direct_conversation(one, other))
        made += keys.sent(direct_conversation(one, other), 7)
        made += (*keys.of_group(direct_conversation(one, other)), keys.reactions(direct_conversation(one, other)))
    assert len(made) == len(set(made))


@pytest.mark.parametrize("name", ["a/inbox", "a/live", "{u1}a", "a}b"])
def test_no_id_has_the_characters_that_keys_are_made_with(name: str) -> None:
    assert user_id(name) is None


PASSED_ON = {"key", "user", "inbox", "places", "conversation", "reactions", "stream"}
"""Names of keys that a function of a script gets from its caller."""

DERIVED = {("inbox.lua", "/live"), ("feeds.lua", "/live"), ("members.lua", "/inbox"), ("members.lua", "/conversations")}
"""What scripts add to a key: the channel; and where one script delivers to a group, which one Redis allows."""


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.lua")), ids=lambda path: path.name)
def test_a_script_touches_no_key_that_is_not_among_its_keys(path: Path) -> None:
    script = re.sub(r"--[^\n]*", "", path.read_text())
    named = set(re.findall(r"local (\w+)(?:, \w+)* = KEYS\[", script)) | set(
        re.findall(r"for _, (\w+) in ipairs\(KEYS\)", script)
    )
    called = re.findall(r"(?:(?<![\w.])(?:redis\.p?)?call\(|optional\(|= \{)'([A-Z]+)'(?:, ([^,)}]+))?", script)
    for command, key in called:
        if command not in ("TIME", "PUBLISH"):
            assert key.startswith("KEYS[") or key in named | PASSED_ON, f"{command} {key}"
    for key in re.findall(r"(?<!function )(?<!\w)add\(([^,]+),", script):  # common.lua
        assert key.startswith("KEYS[") or key in named | PASSED_ON, f"add {key}"
    assert {(path.name, made) for made in re.findall(r"'(/[a-z]+)'", script)} <= DERIVED
    assert called or path.name == "deliver.lua"  # which calls what inbox.lua has


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.lua")), ids=lambda path: path.name)
def test_no_script_names_a_kind_of_events(path: Path) -> None:
    script = re.sub(r"--[^\n]*", "", path.read_text())
    words = {word for text in re.findall(r"'([^'\n]*)'", script) for word in text.split(" ")}
    assert words & {kind.name for kind in KINDS} <= {replay.value for replay in Replay}  # the sort, which scripts know


@given(one=USERS, other=USERS)
def test_packed_keys_are_the_same_keys(one: UserId, other: UserId) -> None:
    conversation = direct_conversation(one, other)
    names = (*keys.of_conversation(conversation), *keys.sent(conversation, 2900))
    assert packed_keys.of_conversation(conversation, 2900) == pack(names)
    beyond = (*keys.of_conversation(conversation), *keys.sent(conversation, 9999))
    assert packed_keys.of_conversation(conversation, 9999) == pack(beyond)
    assert packed_keys.of_user(one) == pack(keys.of_user(one))
