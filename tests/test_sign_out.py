"""Races of sign-outs with requests and streams: no request or stream of an ended session continues."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from parts import FakeSink, Worker
from polling import until
from ssechat.errors import Unauthorized
from ssechat.identity.tokens import Identity
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.streams.stream import Stream

pytestmark = pytest.mark.anyio

ALICE = UserId("alice")


def after(worker: Worker, command: str, then: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs `then` once, after Redis has replied to this command and before the reply is used."""
    call = worker.redis.call
    waiting = [then]

    async def interrupted(*words: Any) -> Any:
        answer = await call(*words)
        if words[0] == command and waiting:
            await waiting.pop()()
        return answer

    monkeypatch.setattr(worker.redis, "call", interrupted)


async def hears(worker: Worker, session: str | None) -> None:
    """Delivers the notification of a sign-out."""
    worker.hub._on_message(keys.CONTROL.encode(), f"signed_out {session}".encode())


@pytest.mark.parametrize("command", ["HGET", "HSETNX"])
async def test_a_sign_out_that_races_with_the_tokens_first_use_on_another_worker_counts(
    worker: Worker, other_worker: Worker, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    token = await worker.auth.sign_in(ALICE)
    identity = other_worker.auth._tokens.verify(token).identity
    other_worker.users._cached.clear()

    async def sign_out() -> None:
        await worker.auth.sign_out(identity)
        await hears(other_worker, identity.session)

    after(other_worker, command, sign_out, monkeypatch)
    await other_worker.auth.identify(token)  # it was requested before the sign-out, and answered
    assert other_worker.auth.cached_identity(token) is None
    with pytest.raises(Unauthorized) as caught:
        await other_worker.auth.identify(token)
    assert caught.value.code == "signed_out"


async def test_the_worker_that_signs_out_needs_no_pubsub_notice(worker: Worker) -> None:
    token = await worker.auth.sign_in(ALICE)
    identity = await worker.auth.identify(token)
    await worker.hub.subscriptions.close()
    await worker.auth.sign_out(identity)
    assert worker.auth.cached_identity(token) is None


async def test_a_sign_out_drops_no_other_session_from_the_cache(worker: Worker) -> None:
    token = await worker.auth.sign_in(ALICE)
    await worker.auth.identify(token)
    await hears(worker, "0" * 32)
    assert worker.auth.cached_identity(token) is not None


def let_in(worker: Worker, identity: Identity, sign_outs: int) -> FakeSink:
    """Opens a stream as after the start of the response."""
    stream, sink = Stream(worker.hub, identity, worker.inbox.source(identity.user)), FakeSink()
    stream.opened(sink, None)
    worker.hub.attach(stream, None, sign_outs)
    return sink


async def test_a_stream_whose_session_ends_while_it_is_opened_is_closed(worker: Worker) -> None:
    sign_outs = worker.auth.sign_outs
    identity = await worker.auth.identify(await worker.auth.sign_in(ALICE), remember=False)
    await worker.auth.sign_out(identity)
    await hears(worker, identity.session)
    sink = let_in(worker, identity, sign_outs)
    await until(lambda: sink.ended)
    assert [event.get("data") for event in sink.events() if event.get("event") == "bye"] == ['{"reason":"signed_out"}']
    assert "hello" not in sink.names()
    assert len(worker.hub) == 0


async def test_a_stream_that_is_let_in_by_a_ticket_ends_with_the_session_of_who_got_the_ticket(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await worker.auth.identify(await worker.auth.sign_in(ALICE))
    ticket = await worker.auth.issue_ticket(identity)
    sign_outs = worker.auth.sign_outs

    async def sign_out() -> None:
        await worker.auth.sign_out(identity)

    after(worker, "HGET", sign_out, monkeypatch)
    sink = let_in(worker, await worker.auth.redeem_ticket(ticket), sign_outs)
    await until(lambda: sink.ended)
    assert sink.names()[-1] == "bye"


async def test_a_stream_that_is_let_in_while_somebody_else_signs_out_goes_on(worker: Worker) -> None:
    sign_outs = worker.auth.sign_outs
    identity = await worker.auth.identify(await worker.auth.sign_in(ALICE), remember=False)
    await hears(worker, "0" * 32)
    sink = let_in(worker, identity, sign_outs)
    async with asyncio.timeout(5):
        while "hello" not in sink.names():
            await asyncio.sleep(0.01)
    assert not sink.ended
