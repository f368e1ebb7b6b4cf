"""Blocks between people: nothing new goes across one directly, and who blocks is not added to groups."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from parts import ALICE, BOB, DM, FakeSink, Worker, a_worker
from polling import until
from redises import RedisProcess
from ssechat.chat.edits import Edit
from ssechat.chat.groups import Draft
from ssechat.chat.messages import Extras
from ssechat.errors import Forbidden, RequestError
from ssechat.ids import ConversationId, UserId, direct_conversation
from ssechat.logs.blocks import Blocks
from ssechat.logs.delivery import AT_ONCE
from ssechat.redis import keys

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

CAROL = UserId("carol")
OWN = "You have blocked 'bob': unblock 'bob' to write to each other again."
OTHERS = "You and 'alice' cannot write to each other."


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)


@pytest.fixture(params=[AT_ONCE, 0], ids=["one-script", "two-steps"])
async def form(redis: RedisProcess, request: pytest.FixtureRequest) -> AsyncIterator[Worker]:
    """A worker of each form of delivery."""
    async with a_worker(redis.url, at_once=request.param) as worker:
        yield worker


def stored(redis: RedisProcess) -> dict[bytes, object]:
    """All that is stored, but for up to where a log is delivered: in two steps that is noted a moment later."""
    with redis.client() as client:
        conversation = keys.conversation(DM).encode()
        found: dict[bytes, object] = {key: client.dump(key) for key in client.scan_iter() if key != conversation}
        fields = client.hgetall(conversation)
        return found | {conversation: {name: fields[name] for name in fields if name != b"delivered"}}


async def refusal(call: Any) -> str:
    with pytest.raises(RequestError) as refused:
        await call
    assert (refused.value.code, refused.value.status) == ("blocked", 403)
    return refused.value.detail


async def test_a_direct_message_across_a_block_is_refused_either_way_and_nothing_of_it_is_stored(
    form: Worker, redis: RedisProcess
) -> None:
    await form.say("before")
    await form.chat.blocks.block(ALICE, "bob")
    before = stored(redis)
    send, send_to = form.chat.messages.send, form.chat.messages.send_to
    assert await refusal(send(ALICE, DM, "hi", "a")) == OWN
    assert await refusal(send(BOB, DM, "hi", "b")) == OTHERS
    assert await refusal(send_to(ALICE, "bob", "hi", "c")) == OWN
    assert await refusal(send_to(BOB, "alice", "hi", "d")) == OTHERS
    assert await refusal(send(BOB, DM, "hi", "e", Extras(reply_to=1, mentions=(ALICE,), data={"a": 1}))) == OTHERS
    assert await refusal(send(BOB, DM, "hi", "f", Extras(reply_to=99))) == OTHERS, "rights come first"
    assert await refusal(send(BOB, DM, "hi", "g", Extras(mentions=(CAROL,)))) == OTHERS
    assert stored(redis) == before
    await form.chat.blocks.unblock(ALICE, "bob")
    await form.say("after", "bob")
    assert [json.loads(one)["text"] for one in await form.texts("alice") if "text" in json.loads(one)] == [
        "before",
        "after",
    ]


async def test_nobody_needs_to_have_written_for_a_block_to_hold(form: Worker, redis: RedisProcess) -> None:
    await form.chat.blocks.block(ALICE, "bob")
    before = stored(redis)
    assert await refusal(form.chat.messages.send_to(BOB, "alice", "hi", "a")) == OTHERS
    assert stored(redis) == before
    for user in (ALICE, BOB):
        assert (await form.chat.conversations.list(user, None, 10)).conversations == []


async def test_who_blocks_each_other_must_both_unblock(form: Worker) -> None:
    await form.chat.blocks.block(ALICE, "bob")
    await form.chat.blocks.block(BOB, "alice")
    assert await refusal(form.chat.messages.send(ALICE, DM, "hi", "a")) == OWN
    assert (await refusal(form.chat.messages.send(BOB, DM, "hi", "a"))).startswith("You have blocked 'alice'")
    await form.chat.blocks.unblock(ALICE, "bob")
    assert await refusal(form.chat.messages.send(ALICE, DM, "hi", "a")) == "You and 'bob' cannot write to each other."
    await form.chat.blocks.unblock(BOB, "alice")
    assert (await form.chat.messages.send(ALICE, DM, "hi", "a"))[1]


async def test_a_repeat_of_what_was_sent_before_the_block_is_answered_as_before(form: Worker) -> None:
    first = await form.say("hi", "bob", key="k")
    extras = Extras(data={"a": 1})
    other, _ = await form.chat.messages.send(BOB, DM, "ho", "l", extras)
    await form.chat.blocks.block(ALICE, "bob")
    assert await form.chat.messages.send(BOB, DM, "hi", "k") == (first, False)
    assert await form.chat.messages.send(BOB, DM, "ho", "l", extras) == (other, False)
    with pytest.raises(RequestError) as refused:
        await form.chat.messages.send(BOB, DM, "another", "k")
    assert refused.value.code == "idempotency_conflict"


async def test_nothing_is_smuggled_by_an_edit_or_a_reaction_and_what_is_ones_own_can_be_taken_away(
    form: Worker, redis: RedisProcess
) -> None:
    for number in range(2):
        await form.say(f"m{number}", "bob")
    await form.say("mine")
    reactions, edits = form.chat.reactions, form.chat.edits
    await reactions.put(BOB, DM, 1, "👍", wanted=True)
    await form.chat.blocks.block(ALICE, "bob")
    before = stored(redis)
    for seq, user, detail in ((1, BOB, OTHERS), (3, ALICE, OWN)):
        assert await refusal(edits.edit(user, DM, seq, Edit("hate"), None)) == detail
        assert await refusal(edits.edit(user, DM, seq, Edit(data={"text": "hate"}), None)) == detail
        assert await refusal(reactions.put(user, DM, 2, "🖕", wanted=True)) == detail
    assert stored(redis) == before
    # What is so already is no change.
    assert json.loads(await edits.edit(BOB, DM, 1, Edit("m0"), None))["version"] == 4
    assert json.loads(await reactions.put(BOB, DM, 1, "👍", wanted=True))["version"] == 4
    assert "reactions" not in json.loads(await reactions.put(BOB, DM, 1, "👍", wanted=False))
    assert json.loads(await edits.delete(BOB, DM, 2, None))["deleted"]
    assert json.loads(await edits.delete(ALICE, DM, 3, None))["deleted"]
    for name in ("alice", "bob"):
        assert (await form.events(name))[-1].kind == "message.deleted"


def shown_of(answer: object) -> Any:
    """What a user is shown: a refusal's text, or the message."""
    if isinstance(answer, Forbidden):
        return answer.detail
    assert isinstance(answer, str | bytes), answer
    return json.loads(answer)


async def test_of_reactions_that_wait_together_only_the_new_ones_are_refused(worker: Worker) -> None:
    await worker.say("hi")
    put = worker.chat.reactions.put
    await put(BOB, DM, 1, "👍", wanted=True)
    await worker.chat.blocks.block(ALICE, "bob")
    answers = await asyncio.gather(
        put(ALICE, DM, 1, "🎉", wanted=True),
        put(BOB, DM, 1, "👍", wanted=False),
        put(BOB, DM, 1, "🎉", wanted=True),
        put(ALICE, DM, 1, "🎉", wanted=False),
        return_exceptions=True,
    )
    shown = list(map(shown_of, answers))
    assert shown[2] == OTHERS
    assert "reactions" not in shown[1]
    assert "reactions" not in shown[3]


async def test_groups_are_as_before(form: Worker) -> None:
    group, _ = await form.chat.groups.make(CAROL, Draft("Lunch", "", "all", [ALICE, BOB]), None)
    await form.chat.blocks.block(ALICE, "bob")
    await form.say("hi", "bob", group)
    await form.say("ho", "alice", group)
    await form.chat.edits.edit(BOB, group, 1, Edit("hello"), None)
    await form.chat.reactions.put(ALICE, group, 1, "👍", wanted=True)


async def test_notes_to_oneself_and_conversations_with_others_are_as_before(worker: Worker) -> None:
    await worker.chat.blocks.block(ALICE, "bob")
    await worker.say("note", conversation="dm:alice:alice")
    await worker.say("hi", conversation="dm:alice:carol")
    await worker.say("hi", "bob", conversation="dm:bob:carol")


async def test_what_was_written_stays_readable_for_both(worker: Worker) -> None:
    await worker.say("hi")
    await worker.chat.blocks.block(ALICE, "bob")
    for user in (ALICE, BOB):
        assert json.loads(await worker.chat.messages.one(user, DM, 1))["text"] == "hi"
        assert (await worker.chat.marks.read(user, DM, 1)).mark.read_up_to == 1


async def test_only_who_blocks_is_told_so_in_the_conversation(worker: Worker) -> None:
    await worker.say("hi")
    await worker.say("hi", conversation="dm:alice:carol")

    async def blocked(user: UserId) -> dict[str, Any]:
        listed = (await worker.chat.conversations.list(user, None, 10)).conversations
        all_of_them = {one.fields["id"]: one.fields.get("blocked") for one in listed}
        for id, flag in all_of_them.items():
            assert (await worker.chat.conversations.one(user, id)).fields.get("blocked") is flag
        return all_of_them

    await worker.chat.blocks.block(ALICE, "bob")
    assert await blocked(ALICE) == {"dm:alice:carol": None, DM: True}
    assert await blocked(BOB) == {DM: None}
    await worker.chat.blocks.unblock(ALICE, "bob")
    assert await blocked(ALICE) == {"dm:alice:carol": None, DM: None}
    await worker.chat.blocks.block(ALICE, "dave")
    assert (await worker.chat.conversations.one(ALICE, "dm:alice:dave")).fields["blocked"] is True


async def test_ones_other_devices_get_an_event_of_each_change_and_the_other_one_gets_none(
    worker: Worker, other_worker: Worker
) -> None:
    stream, sink = other_worker.open_stream("alice")
    _, others = worker.open_stream("bob")
    await until(lambda: stream.live)
    for _ in range(2):
        assert await worker.chat.blocks.block(ALICE, "Bob") == BOB
    for _ in range(2):
        await worker.chat.blocks.unblock(ALICE, "BOB")
    await worker.say("hi")
    await until(lambda: sink.texts() == ["hi"] and others.texts() == ["hi"])
    data = [json.loads(event["data"]) for event in sink.checked() if event["event"] == "block"]
    assert data == [{"conversation_id": DM, "user": "bob", "blocked": blocked} for blocked in (True, False)]
    assert "block" not in others.names()
    replayed = [json.loads(one) for one in await worker.texts("alice")]
    assert replayed[:2] == data
    assert [event["id"] for event in sink.checked() if event["event"] == "block"] == [
        event.id for event in (await worker.events("alice"))[:2]
    ]


async def live(worker: Worker, user: str) -> FakeSink:
    stream, sink = worker.open_stream(user)
    await until(lambda: stream.live)
    return sink


async def test_nobody_is_told_across_a_block_who_is_writing(worker: Worker) -> None:
    group, _ = await worker.chat.groups.make(CAROL, Draft("Lunch", "", "all", [ALICE, BOB]), None)
    sinks = {user: await live(worker, user) for user in (ALICE, BOB, CAROL)}
    await worker.chat.blocks.block(ALICE, "bob")
    assert await refusal(worker.chat.typing.start(ALICE, DM)) == OWN
    assert await refusal(worker.chat.typing.start(BOB, DM)) == OTHERS
    await worker.chat.typing.start(ALICE, group)
    await worker.chat.typing.start(BOB, group)
    await worker.chat.typing.start(CAROL, group)
    await worker.say("end", "carol", group)
    await until(lambda: all(sink.texts() == ["end"] for sink in sinks.values()))
    told = {
        user: [json.loads(event["data"])["user"] for event in sink.events() if event["event"] == "typing"]
        for user, sink in sinks.items()
    }
    assert told == {ALICE: [CAROL], BOB: [CAROL], CAROL: [ALICE, BOB]}


async def members(worker: Worker, group: ConversationId) -> Sequence[str]:
    roster = await worker.members.roster(group)
    assert roster is not None
    return sorted(roster.members)


async def test_who_has_blocked_one_cannot_be_added_to_a_group_by_one(worker: Worker) -> None:
    await worker.chat.blocks.block(BOB, "alice")
    await worker.chat.blocks.block(CAROL, "alice")
    make, change = worker.chat.groups.make, worker.chat.members
    said = "You cannot add 'bob', 'carol' to a group. By an invitation they can join themselves."
    assert await refusal(make(ALICE, Draft("Lunch", "", "all", ["carol", "dave", "bob"]), "k")) == (
        said.replace("'bob', 'carol'", "'carol', 'bob'")
    )
    group, is_new = await make(ALICE, Draft("Lunch", "", "all", ["dave"]), "k")
    assert is_new, "nothing of the refused one is left"
    assert await refusal(change.add(ALICE, group, ["bob", "erin", "carol"])) == said
    assert (await refusal(change.put(ALICE, group, "bob", None))).startswith("You cannot add 'bob' to")
    assert await members(worker, group) == ["alice", "dave"]
    # Others can, who are not blocked; and alice can add whom she blocks.
    await change.put(ALICE, group, "dave", "admin")
    await change.put(UserId("dave"), group, "bob", None)
    await worker.chat.blocks.block(ALICE, "frank")
    await change.put(ALICE, group, "frank", None)
    # Members stay, and get roles.
    assert await change.put(ALICE, group, "bob", "admin") == (BOB, "admin")
    assert await change.add(ALICE, group, ["bob", "dave"]) == ((), 4)


async def test_one_can_join_by_an_invitation_of_somebody_whom_one_blocks(worker: Worker) -> None:
    await worker.chat.blocks.block(BOB, "alice")
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", []), None)
    _, secret = await worker.chat.invites.make(ALICE, group, 60, None)
    await worker.chat.joins.join(BOB, secret)
    assert await members(worker, group) == ["alice", "bob"]


async def test_making_a_group_again_finds_it_whoever_has_blocked_its_maker_since(worker: Worker) -> None:
    draft = Draft("Lunch", "", "all", ["bob"])
    group, _ = await worker.chat.groups.make(ALICE, draft, "k")
    await worker.chat.blocks.block(BOB, "alice")
    assert await worker.chat.groups.make(ALICE, draft, "k") == (group, False)
    await refusal(worker.chat.groups.make(ALICE, draft, "l"))
    await refusal(worker.chat.groups.make(ALICE, draft, None))
    with pytest.raises(RequestError) as refused:
        await worker.chat.groups.make(ALICE, draft._replace(name="Dinner"), "k")
    assert refused.value.code == "idempotency_conflict"


async def test_of_a_thousand_the_first_are_named_who_cannot_be_added(worker: Worker) -> None:
    many = [f"user{number:04}" for number in range(1023)]
    blockers = many[100:1000:75]
    for name in blockers:
        await Blocks(worker.redis, 100).block(UserId(name), ALICE)
    detail = await refusal(worker.chat.groups.make(ALICE, Draft("All", "", "all", many), None))
    assert detail.startswith(f"You cannot add {', '.join(map(repr, blockers[:10]))} and 2 more to a group.")
    group, _ = await worker.chat.groups.make(ALICE, Draft("All", "", "all", many[:10]), None)
    assert await refusal(worker.chat.members.add(ALICE, group, many)) == detail
    assert len(await members(worker, group)) == 11


async def test_a_block_that_comes_before_the_last_decision_counts(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, _ = await worker.chat.groups.make(ALICE, Draft("Lunch", "", "all", [CAROL]), None)
    await worker.chat.members.put(ALICE, group, "carol", "admin")
    blocks, asked = worker.chat.members._blocks, 0
    ask = blocks.by

    async def by(others: Sequence[UserId], user: UserId) -> frozenset[UserId]:
        nonlocal asked
        asked += 1
        found = await ask(others, user)
        if asked == 1:  # between the decision and the append
            await worker.chat.blocks.block(BOB, "alice")
            await worker.chat.groups.change(CAROL, group, "Dinner", None)
        return found

    async with a_worker(worker.redis.url) as other:  # whose turns are its own
        monkeypatch.setattr(other.chat.members._blocks, "by", by)
        assert "'bob'" in await refusal(other.chat.members.put(ALICE, group, "bob", None))
    assert asked == 2
    assert await members(worker, group) == ["alice", "carol"]


async def test_one_blocks_others_who_exist_and_so_many(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def code(call: Any) -> tuple[str, str]:
        with pytest.raises(RequestError) as refused:
            await call
        return refused.value.code, refused.value.detail

    blocks = worker.chat.blocks
    assert await code(blocks.block(ALICE, "Alice")) == ("invalid_request", "user: you cannot block yourself")
    assert await code(blocks.block(ALICE, "no name")) == ("unknown_user", "There is no user 'no name'.")
    await blocks.unblock(ALICE, "no name")
    await blocks.unblock(ALICE, "alice")
    monkeypatch.setattr("ssechat.chat.blocks.MAX_BLOCKS", 3)
    await blocks.block(ALICE, "u1")
    answers = await asyncio.gather(*(blocks.block(ALICE, f"u{n}") for n in range(1, 6)), return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Forbidden)]
    assert [one.code for one in refused] == ["too_many_blocks"] * 2
    assert refused[0].detail == "You have blocked 3 people, and more it cannot be: unblock one of them."
    assert await blocks.block(ALICE, "u1") == "u1", "it is so already"
    await blocks.unblock(ALICE, "u1")
    await blocks.block(ALICE, "u5")
    assert (await blocks.page(ALICE, "", 10)).users == ["u2", "u3", "u5"]
    # Nothing of a refused one is enforced.
    assert await refusal_of_u4(worker) == 0
    await worker.chat.messages.send_to(UserId("u4"), "alice", "hi", "k")


async def refusal_of_u4(worker: Worker) -> int:
    key = keys.conversation(direct_conversation(ALICE, UserId("u4")))
    return int(await worker.redis.call("HEXISTS", key, "blocks"))
