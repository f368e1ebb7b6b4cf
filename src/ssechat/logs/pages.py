"""Reads messages up to a number of bytes: bounds the memory of a worker and of a slow reader's buffer."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from ssechat.ids import ConversationId
from ssechat.redis import keys
from ssechat.redis.client import Redis
from ssechat.redis.connection import Argument

PAGE_BYTES = 256 * 1024
"""Upper bound of a response with messages, in bytes; a single message may be larger."""

ENVELOPE = 64
"""Bytes of an answer around what it lists."""

SCRIPT = """
local room, least, found, a = tonumber(ARGV[1]), tonumber(ARGV[2]), {}, 3
for _, key in ipairs(KEYS) do
  local extra, first, last = tonumber(ARGV[a]), a + 2, a + 1 + tonumber(ARGV[a + 1])
  for from = first, last, 8 do
    for _, message in ipairs(redis.call('HMGET', key, unpack(ARGV, from, math.min(from + 7, last)))) do
      room = room - (message and #message or 0) - extra
      if room < 0 and #found >= least then return found end
      found[#found + 1] = message
    end
  end
  a = last + 1
end
return found
"""
"""The script stops at the limit, so that Redis sends nothing in vain."""


class Reference(NamedTuple):
    """The location of a message."""

    conversation: ConversationId
    seq: bytes
    extra: int = 1
    """Bytes on the page besides the message itself."""


async def fitting(
    redis: Redis, references: Sequence[Reference], room: int = PAGE_BYTES - ENVELOPE, *, least: int = 1
) -> list[bytes | None]:
    """The messages (JSON) of the first references, as many as fit into `room` bytes, but `least` of them at least.

    One that is gone is None. One round trip.
    """
    if not references:
        return []
    names: list[str] = []
    arguments: list[Argument] = [room, least]
    for (conversation, extra), run in groupby(references, itemgetter(0, 2)):
        seqs = [seq for _, seq, _ in run]
        names.append(keys.of_conversation(conversation).messages)
        arguments += [extra, len(seqs), *seqs]
    async with redis.large:
        found: list[bytes | None] = await redis.call("EVAL", SCRIPT, len(names), *names, *arguments)
    return found
