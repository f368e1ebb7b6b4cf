"""Reactions over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import emoji as emojis
import httpx
import pytest

from app_client import client_of, code
from people import Person, direct, people, reaction
from redises import RedisProcess
from ssechat.chat.reactions import qualified

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


@pytest.fixture
async def client(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    async with client_of(redis.url, tmp_path) as client:
        yield client


@pytest.fixture(params=["group", "direct"])
async def where(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> tuple[Person, Person, str]:
    """Two people, and the path of a conversation of theirs with a message."""
    alice, bob = await people(client, "alice", "bob")
    path = direct(alice, bob) if request.param == "direct" else await alice.make(bob)
    await alice.say(path, "hi")
    return alice, bob, path


async def test_a_reaction_is_shown_with_the_message_until_it_is_taken_away(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    first = await bob.done("PUT", reaction(path, 1, "👍"))
    assert first["reactions"] == [{"emoji": "👍", "count": 1, "users": ["bob"]}]
    both = await alice.done("PUT", reaction(path, 1, "👍"))
    assert both["reactions"] == [{"emoji": "👍", "count": 2, "users": ["alice", "bob"]}]
    assert both["version"] > first["version"]
    assert await alice.done("PUT", reaction(path, 1, "👍")) == both, "no event"
    second = await alice.done("PUT", reaction(path, 1, "🍜"))
    assert [one["emoji"] for one in second["reactions"]] == ["👍", "🍜"]
    assert await bob.done("GET", f"{path}/messages/1") == second
    less = await bob.done("DELETE", reaction(path, 1, "👍"))
    assert less["reactions"] == [
        {"emoji": "👍", "count": 1, "users": ["alice"]},
        {"emoji": "🍜", "count": 1, "users": ["alice"]},
    ]
    assert await bob.done("DELETE", reaction(path, 1, "👍")) == less
    for emoji in "👍🍜":
        none = await alice.done("DELETE", reaction(path, 1, emoji))
    assert "reactions" not in none
    edited = await alice.done("PATCH", f"{path}/messages/1", {"text": "hello"})
    assert "reactions" not in edited


async def test_an_edit_keeps_the_reactions(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    reacted = await bob.done("PUT", reaction(path, 1, "👍"))
    assert (await alice.done("PATCH", f"{path}/messages/1", {"text": "hello"}))["reactions"] == reacted["reactions"]


async def test_all_reactions_are_paged_through_or_asked_for_one_user(client: httpx.AsyncClient) -> None:
    names = [f"user{number}" for number in range(5)]
    crowd = await people(client, *names)
    where = await crowd[0].make(*crowd[1:])
    for _ in range(11):
        await crowd[0].say(where, "hi")
    for person in crowd:
        await person.done("PUT", reaction(where, 1, "👍"))
        await person.done("PUT", reaction(where, 11, "🎉"))
    await crowd[2].done("PUT", reaction(where, 1, "❤️"))
    message = await crowd[0].done("GET", f"{where}/messages/1")
    assert message["reactions"][0] == {"emoji": "👍", "count": 5, "users": names[:3]}
    expected = [{"emoji": "❤️", "user": "user2"}, *({"emoji": "👍", "user": name} for name in names)]
    path = f"{where}/messages/1/reactions"
    for limit in (1, 2, 6, 200):
        found, after = [], ""
        while True:
            page = await crowd[0].done("GET", f"{path}?limit={limit}&after={quote(after)}")
            assert len(page["reactions"]) <= limit
            found += page["reactions"]
            if page["next"] is None:
                break
            after = page["next"]
        assert found == expected
    assert await crowd[0].done("GET", f"{path}?user=User2") == {
        "reactions": [{"emoji": "👍", "user": "user2"}, {"emoji": "❤️", "user": "user2"}],
        "next": None,
    }
    assert (await crowd[0].done("GET", f"{path}?user=nobody"))["reactions"] == []
    assert (await crowd[0].done("GET", f"{where}/messages/2/reactions?user=user2"))["reactions"] == []
    assert (await crowd[0].done("GET", f"{where}/messages/2/reactions"))["reactions"] == []
    for query in ("limit=0", "user=no%20name", "more=1"):
        assert code(await crowd[0].ask("GET", f"{path}?{query}")) == (422, "invalid_request")
    assert code(await crowd[0].ask("GET", f"{where}/messages/12/reactions")) == (404, "unknown_message")


@pytest.mark.parametrize("text", ["a", "+1", "👍👍", "👍 ", "1", "%", "\ufe0f", "x" * 300, "¤"])
async def test_what_is_no_emoji_is_refused(where: tuple[Person, Person, str], text: str) -> None:
    alice, _, path = where
    for method in ("PUT", "DELETE"):
        assert code(await alice.ask(method, reaction(path, 1, text))) == (422, "not_an_emoji")


def test_every_emoji_has_one_form() -> None:
    forms = {emoji: qualified(emoji) for emoji in emojis.EMOJI_DATA}
    assert forms["❤"] == forms["❤️"] == "❤️"
    for emoji, form in forms.items():
        assert forms[form] == form
        assert ":" not in form
        assert form.replace("\ufe0f", "") == emoji.replace("\ufe0f", ""), emoji


async def test_a_message_has_20_kinds_of_reactions_at_most(where: tuple[Person, Person, str]) -> None:
    alice, bob, path = where
    kinds = [chr(0x1F400 + number) for number in range(22)]
    answers = await asyncio.gather(*[alice.ask("PUT", reaction(path, 1, emoji)) for emoji in kinds])
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [403] * 2
    refused = next(kinds[at] for at, answer in enumerate(answers) if answer.status_code == 403)
    taken = next(kinds[at] for at, answer in enumerate(answers) if answer.status_code == 200)
    assert code(await bob.ask("PUT", reaction(path, 1, refused))) == (403, "too_many_reactions")
    assert (await bob.ask("PUT", reaction(path, 1, taken))).status_code == 200, "there is such a kind"
    await alice.done("DELETE", reaction(path, 1, next(emoji for emoji in kinds if emoji not in (taken, refused))))
    assert (await bob.ask("PUT", reaction(path, 1, refused))).status_code == 200
    assert len((await bob.done("GET", f"{path}/messages/1"))["reactions"]) == 20


async def test_one_who_left_is_shown_the_reactions_of_then_or_none(client: httpx.AsyncClient) -> None:
    alice, bob = await people(client, "alice", "bob")
    where = await alice.make(bob)
    for number in (1, 2):
        await alice.say(where, "hi")
        await alice.done("PUT", reaction(where, number, "👍"))
    await bob.done("DELETE", f"{where}/members/bob")
    await alice.done("PUT", reaction(where, 2, "❤️"))
    then = (await bob.done("GET", f"{where}/messages/1/reactions"))["reactions"]
    assert then == [{"emoji": "👍", "user": "alice"}]
    for query in ("", "?user=alice"):
        assert (await bob.done("GET", f"{where}/messages/2/reactions{query}"))["reactions"] == []
