"""Refusals of Redis at run time leave the data consistent."""

import json
from contextlib import suppress

import pytest

from parts import a_worker, draft
from polling import until
from redises import RedisProcess
from ssechat.errors import RedisUnavailable, Unauthorized
from ssechat.ids import ConversationId, UserId
from ssechat.redis.refusals import parse_refusal
from ssechat.redis.rights import WORDS

pytestmark = pytest.mark.anyio


async def test_acl_a_send_without_the_right_to_publish_is_accepted_and_streams_find_it(
    redis: RedisProcess, user_url: str
) -> None:
    async with a_worker(user_url) as worker:
        noted: list[str] = []
        worker.redis.on_refused = noted.append
        stream, sink = worker.open_stream("bob", "0-0")
        await until(lambda: stream.live)
        redis.set_rights("-publish")
        await worker.say("unheard")
        assert [parse_refusal(text).code for text in noted if "NOSCRIPT" not in text] == ["NOPERM"]
        assert sink.texts() == []
        worker.clock.time += 31
        await worker.hub.sweep()
        await until(lambda: sink.texts() == ["unheard"])
        redis.set_rights("+publish")
        await worker.say("heard")
        await until(lambda: sink.texts() == ["unheard", "heard"])


@pytest.mark.parametrize(
    "word",
    [
        *("-publish", "-hset", "-xadd", "-hget", "-hmget", "-expire", "-exists", "-evalsha", "-eval", "-@all"),
        *("resetkeys", "resetchannels"),
    ],
)
async def test_acl_a_revoked_right_leaves_nothing_half_done_and_a_retry_completes(
    redis: RedisProcess, user_url: str, word: str
) -> None:
    async with a_worker(user_url) as worker:
        expected = []
        for turn in range(8):  # whether the next entry's tag is above the last one's is chance
            text = f"m{turn}"
            redis.set_rights(word)
            with suppress(RedisUnavailable):
                await worker.say(text, conversation=f"dm:alice:bob{turn % 2}")
            redis.set_rights(*WORDS)
            await worker.say_until_taken(text, f"dm:alice:bob{turn % 2}")
            await worker.say_until_taken(f"after {text}", f"dm:alice:bob{turn % 2}")
            expected += [text, f"after {text}"]
        assert [json.loads(each)["text"] for each in await worker.texts("alice")] == expected
        for one in (0, 1):
            mine = [text for turn, text in enumerate(expected) if turn // 2 % 2 == one]
            assert [json.loads(each)["text"] for each in await worker.texts(f"bob{one}")] == mine
            entries = await worker.conversations.entries(ConversationId(f"dm:alice:bob{one}"), "-", "+", 100)
            assert [json.loads(entry.data)["text"] for entry in entries] == mine


async def test_a_delivery_of_its_own_leaves_nothing_half_done_without_the_right_to_hset(
    redis: RedisProcess, user_url: str
) -> None:
    async with a_worker(user_url) as worker:
        await worker.say("before")
        expected = ["before"]
        for turn in range(8):
            await worker.append(draft(f"appended {turn}"))  # in the log, and in no inbox
            redis.set_rights("-hset")
            with pytest.raises(RedisUnavailable):
                await worker.delivery.finish(draft("").conversation, [UserId("alice"), UserId("bob")])
            redis.set_rights("+hset")
            await worker.say(f"after {turn}")
            expected += [f"appended {turn}", f"after {turn}"]
        assert [json.loads(each)["text"] for each in await worker.texts("bob")] == expected


async def test_an_account_is_never_made_without_its_password(redis: RedisProcess, user_url: str) -> None:
    async with a_worker(user_url) as worker:
        redis.set_rights("-hset")
        with pytest.raises(RedisUnavailable):
            await worker.users.sign_up(UserId("carol"), "correct horse")
        redis.set_rights("+hset")
        await worker.users.sign_up(UserId("carol"), "correct horse")
        await worker.users.check_password(UserId("carol"), "correct horse")


async def test_one_is_signed_out_though_other_workers_may_not_be_told(redis: RedisProcess, user_url: str) -> None:
    async with a_worker(user_url) as worker:
        token = await worker.auth.sign_in(UserId("alice"))
        identity = await worker.auth.identify(token, remember=False)
        redis.set_rights("-publish")
        await worker.auth.sign_out(identity)
        with pytest.raises(Unauthorized):
            await worker.auth.identify(token, remember=False)
