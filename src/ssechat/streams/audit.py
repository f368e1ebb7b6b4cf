"""The audit: compares streams with the heads of their sources, and so finds what pub/sub lost."""

from collections.abc import Mapping, Sequence

from ssechat.events.source import Log
from ssechat.ids import number_of
from ssechat.streams.stream import Stream


async def find_holes(streams: Mapping[bytes, Sequence[Stream]], channels: Sequence[bytes]) -> None:
    """Has streams of these channels that lack something read their source. One round trip a log.

    Raises:
        RedisUnavailable: Redis cannot be asked.
    """
    by_log: dict[Log, dict[bytes, str]] = {}
    for channel in channels:
        stream = streams[channel][0]
        by_log.setdefault(stream.log, {})[channel] = stream.name
    for log, names in by_log.items():
        heads = await log.heads(list(names.values()))
        for channel, head in zip(names, heads, strict=True):
            for stream in streams.get(channel, ()):
                # A head below what was written, or another id in its place, is a loss, or an answer that is older
                # than the last write: reading the source tells.
                if number_of(head) > stream.written or (stream.live and head != stream.cursor):
                    stream.lacks(number_of(head))
