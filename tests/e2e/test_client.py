"""The client for Python against two workers: people talk, groups live, sessions end, and nothing is left behind."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

import jwt
import psutil
import pytest

from e2e.api import fresh, key, mint, serve
from serving import Server
from ssechat.client import (
    ByeEvent,
    Client,
    Event,
    EventStream,
    GroupEvent,
    HelloEvent,
    MemberEvent,
    MessageChangeEvent,
    MessageEvent,
    Refused,
    ResetEvent,
)

pytestmark = pytest.mark.anyio

SECONDS = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("client")) as running:
        yield running


def connections(server: Server) -> list[psutil._ntuples.pconn]:
    """The connections of this process to the server."""
    own = psutil.Process().net_connections("tcp")
    return [each for each in own if each.raddr and each.raddr.port == server.port and each.status == "ESTABLISHED"]


@contextlib.asynccontextmanager
async def people(server: Server, *names: str) -> AsyncIterator[list[Client]]:
    """Clients that leave neither a connection nor a task behind."""
    before = asyncio.all_tasks()
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for name in names:
            chat = Client(server.url, mint(server, fresh(name)))
            found.append(await stack.enter_async_context(chat))
            await chat.user()
        yield found
    assert connections(server) == []
    async with asyncio.timeout(SECONDS):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.02)


async def until(events: EventStream[Event], wanted: Callable[[Event], object]) -> Event:
    """The first event that is so."""
    async with asyncio.timeout(SECONDS):
        async for event in events:
            if wanted(event):
                return event
    raise AssertionError("the stream ended")


async def test_two_people_talk_and_change_what_they_said(server: Server) -> None:
    async with people(server, "alice", "bob") as (alice, bob), bob.events() as events:
        hello = await anext(events)
        assert isinstance(hello, HelloEvent)
        assert hello.data.user == await bob.user()
        sent = await alice.send(await bob.user(), "hi", client_msg_id="1", data={"a": 1})
        assert await alice.send(await bob.user(), "hi", client_msg_id="1", data={"a": 1}) == sent
        got = await until(events, lambda event: isinstance(event, MessageEvent))
        assert got.data == sent
        place = sent.conversation_id
        read = await bob.message(place, sent.seq)
        edited = await alice.edit(place, sent.seq, "hello", data=None, if_match=read.etag)
        assert (edited.text, edited.data, edited.version) == ("hello", None, 2)
        assert edited.edited_at is not None
        with pytest.raises(Refused) as caught:
            await alice.edit(place, sent.seq, "hey", if_match=read.etag)
        assert caught.value.status == 412
        changed = await until(events, lambda event: isinstance(event, MessageChangeEvent))
        assert changed.data == edited
        reacted = await bob.react(place, sent.seq, "👍")
        assert [(each.emoji, each.count) for each in reacted.reactions] == [("👍", 1)]
        assert [each.user async for each in alice.reactions(place, sent.seq)] == [await bob.user()]
        assert (await bob.take_back(place, sent.seq, "👍")).reactions == ()
        assert (await alice.delete(place, sent.seq)).deleted
        assert await alice.exists(await bob.user())
        assert not await alice.exists("nobody-at-all")


async def test_history_is_read_from_either_end(server: Server) -> None:
    async with people(server, "alice") as (alice,):
        me = await alice.user()
        sent = [await alice.send(me, f"{number}") for number in range(5)]
        place = sent[0].conversation_id
        assert [each.seq async for each in alice.history(place)] == [5, 4, 3, 2, 1]
        assert [each.seq async for each in alice.history(place, after=2)] == [3, 4, 5]
        assert [each.seq async for each in alice.history(place, before=3)] == [2, 1]
        page = await alice.page(place, around=3, limit=3)
        assert ([each.seq for each in page.messages], page.has_more_before) == ([2, 3, 4], True)
        [found] = [each async for each in alice.conversations() if each.id == place]
        assert (await alice.conversation(place)).model_dump(exclude={"receipts"}) == found.model_dump(
            exclude={"receipts"}
        )
        assert found.last_message == sent[-1]


async def test_a_group_lives(server: Server) -> None:
    async with people(server, "alice", "bob", "carol") as (alice, bob, carol):
        names = [await each.user() for each in (alice, bob, carol)]
        async with bob.events() as events:
            await anext(events)
            group = await alice.groups.make("Lunch", [names[1]], topic="food", client_msg_id="1")
            assert await alice.groups.make("Lunch", [names[1]], topic="food", client_msg_id="1") == group
            assert (group.name, group.role, group.member_count, group.is_group) == ("Lunch", "owner", 2, True)
            joined = await until(events, lambda event: isinstance(event, MemberEvent))
            assert isinstance(joined, MemberEvent)
            assert (joined.data.name, joined.data.by) == ("Lunch", names[0])
            invite = await alice.groups.invite(group.id, max_uses=1)
            assert (await carol.groups.join(invite.secret)).id == group.id
            assert [each.uses for each in await alice.groups.invites(group.id)] == []
            assert [each.user async for each in alice.groups.members(group.id)] == sorted(names)
            assert (await alice.groups.set_role(group.id, names[1], "admin")).role == "admin"
            assert (await bob.groups.change(group.id, name="Dinner", topic="")).name == "Dinner"
            renamed = await until(events, lambda event: isinstance(event, GroupEvent))
            assert isinstance(renamed, GroupEvent)
            assert (renamed.data.name, renamed.data.topic) == ("Dinner", "")
            await carol.send(group.id, "at noon?", mentions=[names[1]])
            said = await until(events, lambda event: isinstance(event, MessageEvent))
            assert isinstance(said, MessageEvent)
            assert said.data.mentions == (names[1],)
            await bob.groups.remove(group.id, names[2])
            assert (await carol.groups.show(group.id)).left
            assert (await alice.groups.add(group.id, [names[2]])).added == (names[2],)
            await alice.groups.end(group.id)
            with pytest.raises(Refused) as caught:
                await carol.send(group.id, "too late")
            assert (caught.value.status, caught.value.code) == (403, "ended")


async def test_a_session_that_ends_is_begun_anew_and_no_event_is_missed(server: Server) -> None:
    name = fresh("dave")
    async with await Client.sign_up(server.url, name, "correct horse") as dave:
        assert await dave.user() == name
        async with dave.events() as events:
            await anext(events)
            for number in range(2):
                await dave.sign_out()
                bye = await until(events, lambda event: isinstance(event, ByeEvent))
                assert isinstance(bye, ByeEvent)
                assert bye.data.reason == "signed_out"
                sent = await dave.send(name, f"{number}")
                got = await until(events, lambda event: isinstance(event, MessageEvent))
                assert got.data == sent
    async with await Client.sign_up(server.url, name, "correct horse") as again:
        assert await again.user() == name
    with pytest.raises(Refused) as caught:
        await Client.sign_up(server.url, name, "wrong horse")
    assert caught.value.code == "wrong_credentials"


async def test_a_stream_outlives_its_token(server: Server) -> None:
    name = fresh("erin")

    async def short() -> str:
        return jwt.encode({"sub": name, "exp": time.time() + 2.0}, key(server), algorithm="HS256")

    async with Client(server.url, short) as erin, erin.events() as events:
        await anext(events)
        bye = await until(events, lambda event: isinstance(event, ByeEvent))
        assert isinstance(bye, ByeEvent)
        assert bye.data.reason == "token_expired"
        sent = await erin.send(name, "still here")
        assert (await until(events, lambda event: isinstance(event, MessageEvent))).data == sent


async def test_an_id_that_the_server_does_not_know_is_a_reset_and_the_stream_goes_on(server: Server) -> None:
    async with people(server, "alice") as (alice,), alice.events("77-77") as events:
        reset = await until(events, lambda event: isinstance(event, ResetEvent))
        assert isinstance(reset, ResetEvent)
        assert reset.data.reason == "unknown"
        sent = await alice.send(await alice.user(), "hi")
        assert (await until(events, lambda event: isinstance(event, MessageEvent))).data == sent


async def test_a_client_for_many_tasks_leaves_nothing_when_they_are_cancelled(server: Server) -> None:
    async with people(server, "alice", "bob") as (alice, bob):
        streams = [alice.events() for _ in range(5)]
        tasks = [asyncio.ensure_future(until(each, lambda event: False)) for each in streams]
        tasks += [asyncio.ensure_future(until(bob.events(), lambda event: False)) for _ in range(5)]
        name = await bob.user()
        sent = await asyncio.gather(*(alice.send(name, f"{number}") for number in range(50)))
        assert sorted(each.seq for each in sent) == list(range(1, 51))
        await asyncio.sleep(0.2)
        sending = [asyncio.ensure_future(alice.send(name, "x")) for _ in range(20)]
        await asyncio.sleep(0)
        for task in (*tasks, *sending):
            task.cancel()
        ended = await asyncio.gather(*tasks, *sending, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended[: len(tasks)])
        assert (await alice.send(name, "and on it goes")).text == "and on it goes"


async def test_a_loop_that_is_left_closes_its_connection(server: Server) -> None:
    async with people(server, "alice") as (alice,):
        for _ in range(5):
            async for _ in alice.events():
                break
        async with asyncio.timeout(SECONDS):
            while len(connections(server)) > 1:
                await asyncio.sleep(0.02)
        assert (await alice.limits()).group_members == 1024
        assert (await alice.server()).name == "ssechat"
        assert (await alice.ticket()).expires_in == 30
