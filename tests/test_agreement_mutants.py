"""Devices that do not do what /docs tells them to: after some action they know what a fresh client is not told."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import pytest

from devices import HANDLE, Device, Fields, Handle
from parts import Worker
from redises import RedisProcess
from stories import NEWCOMERS, OTHERS, Story

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]


def _counts_up(device: Device, message: Fields) -> None:
    before = device.conversations.get(message["conversation_id"], {}).get("unread", 0)
    device.on_message(message)
    conversation = device.conversations.get(message["conversation_id"])
    if conversation is not None and message.get("sender") != device.user:
        conversation["unread"] = before + 1


def _mark_may_fall(device: Device, mark: Fields) -> None:
    device.on_mark(mark)
    conversation = device.conversations.get(mark["conversation_id"])
    if conversation is not None:
        conversation["read_up_to"] = mark["read_up_to"]
        device.count(conversation)


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
    "a mark falls": Mutant({"mark": _mark_may_fall}, (*NOT_COUNTED, "edit", "leave", "mute", "remove")),
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
    "one's own messages are unread": Mutant(
        {"message": lambda device, message: device.on_message({**message, "sender": None})}, NOT_COUNTED
    ),
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
    for seed in range(24):
        story = Story(both, seed, {**HANDLE, **handle}, {*never, *NEWCOMERS})
        try:
            await story.run()
        except AssertionError:
            return
        for device in story.devices:
            story.disconnect(device)
        with redis.client() as client:
            client.flushall()
    raise AssertionError("it was not found")
