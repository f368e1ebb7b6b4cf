"""Devices that do not do what /docs tells them to: after some action they know what a fresh client is not told."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import pytest

from devices import HANDLE, Device, Fields, Handle
from parts import Worker, a_worker
from redises import RedisProcess
from ssechat.logs.delivery import AT_ONCE
from ssechat.redis.lua import load_script
from stories import NEWCOMERS, OTHERS, Story

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


def _counts_up(device: Device, message: Fields) -> None:
    before = device.conversations.get(message["conversation_id"], {}).get("unread", 0)
    device.on_message(message)
    conversation = device.conversations.get(message["conversation_id"])
    if conversation is not None and message.get("sender") != device.user:
        conversation["unread"] = before + 1


def _mark_may_fall(device: Device, mark: Fields) -> None:
    before = device.conversations.get(mark["conversation_id"], {}).get("read_up_to", 0)
    device.on_mark({**mark, "read_up_to": min(before, mark["read_up_to"]) or mark["read_up_to"]})


def _ignores_marks_of_messages(device: Device, message: Fields) -> None:
    conversation = device.conversations.get(message["conversation_id"], {})
    device.on_message({**message, "mark": {name: conversation.get(name) for name in message["mark"]}})


def _keeps_mentions(device: Device, message: Fields) -> None:
    conversation = device.conversations.get(message["conversation_id"], {})
    before = set(conversation.get("mentions", ()))
    device.on_message(message)
    if conversation:
        conversation["mentions"] = sorted(before | set(conversation["mentions"]))


def _receipt_may_fall(device: Device, receipt: Fields) -> None:
    device.on_receipt(receipt)
    known = (device.receipts or {}).get(receipt["user"])
    if receipt["conversation_id"] == device.shown and known is not None:
        known["read_up_to"] = receipt["read_up_to"]


def _read_is_not_delivered(device: Device, receipt: Fields) -> None:
    known = (device.receipts or {}).get(receipt["user"])
    before = known and known["delivered_up_to"]
    device.on_receipt(receipt)
    if known is not None and receipt["read_up_to"] == receipt["delivered_up_to"]:
        known["delivered_up_to"] = before


def _sent_is_not_read(device: Device, message: Fields) -> None:
    receipts, device.receipts = device.receipts, None
    device.on_message(message)
    device.receipts = receipts


def _keeps_who_leaves(device: Device, member: Fields) -> None:
    before = dict(device.receipts or {})
    stale = device.is_stale
    device.on_member(member)
    if member.get("left") and member["conversation_id"] == device.shown and device.receipts is not None:
        device.receipts, device.is_stale = before, stale


class Mutant(NamedTuple):
    """A device that does not do what /docs tells it to."""

    handle: Mapping[str, Handle]
    never: Collection[str] = ()
    """Actions that have nothing to do with it: among the others it is found soon."""


MEMBERSHIP = ("add", "leave", "remove", "role")
NOT_COUNTED = ("ack", "block", "claim", "profile", "react", "rename", "role", "unblock")
NOT_OF_BLOCKS = (*MEMBERSHIP, "ack", "claim", "delete", "edit", "mute", "profile", "react", "read", "rename")

MUTANTS: Mapping[str, Mutant] = {
    "unread is counted up": Mutant({"message": _counts_up}, NOT_COUNTED),
    "a mark stays": Mutant({"mark": _mark_may_fall}, (*NOT_COUNTED, "edit", "leave", "mute", "remove")),
    "the marks of messages are ignored": Mutant({"message": _ignores_marks_of_messages}, NOT_COUNTED),
    "the marks of deleted messages are ignored": Mutant(
        {"message.deleted": _ignores_marks_of_messages}, (*NOT_COUNTED, *MEMBERSHIP, "mute")
    ),
    "mentions stay when their message is deleted": Mutant(
        {"message.deleted": _keeps_mentions}, (*NOT_COUNTED, *MEMBERSHIP, "mute")
    ),
    "marks of other devices are ignored": Mutant({"mark": lambda device, mark: None}, NOT_COUNTED),
    "changes of the profile are ignored": Mutant({"profile": lambda device, change: None}),
    "blocks of other devices are ignored": Mutant({"block": lambda device, block: None}, NOT_OF_BLOCKS),
    "who was blocked stays so": Mutant(
        {"block": lambda device, block: device.on_block({**block, "blocked": True})}, NOT_OF_BLOCKS
    ),
    "resets are ignored": Mutant({"reset": lambda device, reset: None}),
    "receipts are ignored": Mutant({"receipt": lambda device, receipt: None}, OTHERS),
    "a read is not taken for a delivery": Mutant({"receipt": _read_is_not_delivered}, (*OTHERS, *MEMBERSHIP)),
    "the receipt of who has left stays": Mutant({"member": _keeps_who_leaves}, OTHERS),
    "receipts are not loaded again after a pause": Mutant(
        dict.fromkeys(("hello", "caught_up"), lambda device, data: None), (*OTHERS, *MEMBERSHIP)
    ),
    "a receipt falls": Mutant({"receipt": _receipt_may_fall}, (*OTHERS, *MEMBERSHIP)),
    "who sends has not read": Mutant({"message": _sent_is_not_read}, OTHERS),
}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_client_that_counts_by_itself_is_found(both: list[Worker], redis: RedisProcess, mutant: str) -> None:
    handle, never = MUTANTS[mutant]
    assert await is_found(both, redis, {**HANDLE, **handle}, {*never, *NEWCOMERS}), "it was not found"


async def is_found(
    both: Sequence[Worker], redis: RedisProcess, handle: Mapping[str, Handle], never: Collection[str]
) -> bool:
    """Whether some story ends with a device that knows what a fresh one is not told."""
    for seed in range(24):
        story = Story(both, seed, handle, never)
        try:
            await story.run()
        except AssertionError:
            return True
        for device in story.devices:
            story.disconnect(device)
        with redis.client() as client:
            client.flushall()
    return False


class Told(NamedTuple):
    """A server that tells another mark with an event than it stores."""

    script: str
    right: str
    wrong: str
    never: Collection[str] = ()


TOLD: Mapping[str, Told] = {
    "an event has the mark from before it": Told(
        "inbox.lua",
        """        mark = marked(mark, entry, user)
        unread = ' ' .. seq .. mark
""",
        """        unread = ' ' .. seq .. mark
        mark = marked(mark, entry, user)
""",
        (*NOT_COUNTED, *NEWCOMERS),
    ),
    "a mark has what was unread before it": Told(
        "marks.lua",
        "KIND, data,\n      ' ' .. seq .. mark)",
        "KIND, data, match(place or ' 0', '^%S+ %S+(.*)$'))",
        (*NOT_COUNTED, *NEWCOMERS),
    ),
    "what was written before one joined is unread": Told(
        "inbox.lua",
        "if run.joined then",
        "if false then",
        ("ack", "block", "claim", "profile", "react", "rename", "role"),
    ),
}


@pytest.mark.parametrize("mutant", TOLD)
@pytest.mark.parametrize("at_once", [AT_ONCE, 0], ids=["one-script", "two-steps"])
async def test_a_server_that_tells_another_mark_than_it_stores_is_found(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch, mutant: str, at_once: int
) -> None:
    told = TOLD[mutant]

    def load(module: str, *names: str) -> str:
        source = load_script(module, *names)
        assert told.script not in names or told.right in source
        return source.replace(told.right, told.wrong)

    for module in ("ssechat.logs.inbox", "ssechat.logs.delivery"):
        monkeypatch.setattr(f"{module}.load_script", load)
    monkeypatch.setattr("ssechat.chat.reactions.PAUSE", 0)
    async with a_worker(redis.url, at_once=at_once) as one, a_worker(redis.url, at_once=at_once) as other:
        for each in (one, other):
            monkeypatch.setattr(each.chat.receipts.coalescing, "_pause", 0.01)
        assert await is_found((one, other), redis, HANDLE, told.never), "it was not found"
