"""A profile is what its user has said of itself, in any script; devices of the user hear of each change."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_client import client_of, code
from parts import ALICE, FakeSink, Worker
from people import people
from polling import until
from redises import RedisProcess
from ssechat.identity.display_names import MAX_CHOSEN, chosen_name
from ssechat.redis import keys
from ssechat.texts.image_urls import check_image_url

pytestmark = [pytest.mark.newest_redis]

PICTURE = "https://images.example/alice.png?size=64"


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


@pytest.mark.anyio
async def test_a_profile_is_what_its_user_said_last_and_null_takes_a_field_away(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    assert await alice.done("GET", "/me") == {
        "user": "alice", "receipts": True, "visible": True, "version": 0, "unread": 0, "mentions": 0
    }  # fmt: skip
    changed = await alice.done("PATCH", "/me", {"display_name": "  Алиса  Ли ", "avatar_url": PICTURE})
    named = {"display_name": "Алиса Ли", "avatar_url": PICTURE}
    assert changed == {"user": "alice", **named, "receipts": True, "visible": True, "version": 1}
    assert await bob.done("GET", "/users/Alice") == {"id": "alice", **named, "online": False}, (
        "and not what is only one's own"
    )
    assert (await alice.done("GET", "/session"))["display_name"] == "Алиса Ли"
    changed = await alice.done("PATCH", "/me", {"avatar_url": None, "receipts": False})
    assert changed == {"user": "alice", "display_name": "Алиса Ли", "receipts": False, "visible": True, "version": 2}
    changed = await alice.done("PATCH", "/me", {"display_name": None, "receipts": None})
    assert changed == {"user": "alice", "receipts": True, "visible": True, "version": 3}
    assert await bob.done("GET", "/users/alice") == {"id": "alice", "online": False}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"name": "x"}, "name"),
        ({"display_name": ""}, "display_name"),
        ({"display_name": " \u200b\u2060"}, "display_name"),
        ({"display_name": "Ann\nLee"}, "display_name"),
        ({"display_name": "Ann\x1b[31m"}, "display_name"),
        ({"display_name": "\u202eeeL nnA"}, "display_name"),
        ({"display_name": "x" * 65}, "display_name"),
        ({"display_name": "👩‍👧‍👦" * 13}, "display_name"),
        ({"display_name": 7}, "display_name"),
        ({"avatar_url": ""}, "avatar_url"),
        ({"avatar_url": "http://images.example/a.png"}, "avatar_url"),
        ({"avatar_url": "javascript:alert(1)"}, "avatar_url"),
        ({"avatar_url": "data:image/png;base64,AA=="}, "avatar_url"),
        ({"avatar_url": "https://"}, "avatar_url"),
        ({"avatar_url": "https://a:b@images.example/"}, "avatar_url"),
        ({"avatar_url": "https://images.example/#x"}, "avatar_url"),
        ({"avatar_url": "https://images.example/ä"}, "avatar_url"),
        ({"avatar_url": 'https://images.example/"'}, "avatar_url"),
        ({"avatar_url": "https://images.example:0/"}, "avatar_url"),
        ({"avatar_url": "https://[::1/"}, "avatar_url"),
        ({"avatar_url": "https://images.example/" + "a" * 2048}, "avatar_url"),
        ({"receipts": "no"}, "receipts"),
    ],
    ids=str,
)
async def test_what_cannot_be_shown_is_refused_by_its_field(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    [alice] = await people(client, "alice")
    refused = await alice.ask("PATCH", "/me", body)
    assert code(refused) == (422, "invalid_request")
    assert [each["field"] for each in refused.json()["fields"]] == [field]
    assert (await alice.done("GET", "/me"))["version"] == 0


@pytest.mark.parametrize("name", ["李安", "آنا", "Ann 👩‍👧", "e\u0301" * 64, "x" * 64], ids=ascii)
def test_a_chosen_name_is_in_any_script(name: str) -> None:
    assert chosen_name(f" {name}\t") == chosen_name(chosen_name(name))


@given(st.text())
def test_whatever_is_chosen_is_short_and_stays_what_it_is(text: str) -> None:
    try:
        name = chosen_name(text)
    except ValueError:
        return
    assert 0 < len(name) <= MAX_CHOSEN
    assert chosen_name(name) == name


@given(st.text(max_size=40))
def test_no_text_makes_the_check_of_a_picture_fail_otherwise(text: str) -> None:
    for url in (text, f"https://{text}"):
        try:
            check_image_url(url)
        except ValueError:
            continue
        assert url.isascii()
        assert " " not in url


def told(sink: FakeSink) -> list[dict[str, Any]]:
    return [json.loads(event["data"]) for event in sink.checked() if event["event"] == "profile"]


@pytest.mark.anyio
async def test_ones_other_devices_hear_of_a_change_and_of_what_changes_nothing_they_do_not(
    worker: Worker, other_worker: Worker
) -> None:
    stream, sink = other_worker.open_stream(ALICE)
    await until(lambda: stream.live)
    assert (await worker.chat.profiles.change(ALICE, {"display_name": "Alice"})).version == 1
    assert (await worker.chat.profiles.change(ALICE, {"display_name": "Alice", "receipts": ""})).version == 1
    assert (await worker.chat.profiles.change(ALICE, {"receipts": "0"})).version == 2
    await until(lambda: len(told(sink)) == 2)
    assert told(sink) == [{"version": 1}, {"version": 2}]


@pytest.mark.anyio
async def test_a_device_that_was_away_hears_of_a_change_when_it_is_back(worker: Worker, other_worker: Worker) -> None:
    head = await worker.inbox.head(ALICE)
    await worker.chat.profiles.change(ALICE, {"display_name": "Alice"})
    stream, sink = other_worker.open_stream(ALICE, head)
    await until(lambda: stream.live)
    assert told(sink) == [{"version": 1}]
    await worker.say("hi")
    await until(lambda: sink.texts() == ["hi"])


@pytest.mark.anyio
async def test_a_new_name_in_a_token_is_a_change_of_the_profile(worker: Worker) -> None:
    stream, sink = worker.open_stream(ALICE)
    await until(lambda: stream.live)
    for name in ("Alice", "Alice", "Alice Liddell"):
        await worker.users.note_claimed_name(ALICE, name)
    await until(lambda: len(told(sink)) == 2)
    assert (await worker.chat.profiles.of(ALICE)).version == 2


@pytest.mark.anyio
async def test_the_name_in_a_token_is_shown_until_its_user_chooses_one(worker: Worker) -> None:
    await worker.users.note_claimed_name(ALICE, "Alice by token")
    assert (await worker.chat.profiles.of(ALICE)).display_name == "Alice by token"
    await worker.chat.profiles.change(ALICE, {"display_name": "Ally"})
    await worker.users.note_claimed_name(ALICE, "Another by token")
    assert (await worker.chat.profiles.of(ALICE)).display_name == "Ally"
    assert (await worker.chat.profiles.change(ALICE, {"display_name": ""})).display_name == "Another by token"
    assert await worker.redis.call("HEXISTS", keys.user(ALICE), "display_name") == 0
