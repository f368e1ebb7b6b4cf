"""The names of all keys and channels in Redis.

What stands in braces is a hash tag: a bucket, CRC16 of the id mod 1024, so that all keys of one conversation or of one
user live in one slot of a Redis Cluster. The id follows, and then, behind a `/`, which no id has, what the key holds.
"""

from binascii import crc_hqx
from functools import lru_cache
from typing import NamedTuple

FORMAT = "ssechat:format"
"""String: which naming and which values the data in this Redis has."""

FORMAT_OF_THIS_VERSION = "2"

CONTROL = "ssechat:control"
"""The Pub/Sub channel for what all workers must hear: sign-outs, and who becomes visible or invisible."""

KEY_FINGERPRINT = "ssechat:key"
"""String: the fingerprint of the signing key that the servers of this Redis share."""

GROUPS = "ssechat:groups"
"""String: a secret from which the ids of groups follow."""

FEEDS = "ssechat:feeds"
"""Hash: feed → who made it; and how many there are, of each maker (`/<user>`) and of all (`/`)."""

OF_FEEDS = b"{f"
"""The beginning of all keys and channels of feeds."""

ROLLS = "ssechat:{rolls}"
"""Hash: the keys of the rolls of all workers (identity/roll.py)."""

BUCKETS = 1024

CACHED = 512
"""Conversations and users whose keys are remembered: to make them costs a send as much as to parse its body."""


class ConversationKeys(NamedTuple):
    """All keys of a conversation but the records of client_msg_ids, in the order in which scripts take them."""

    conversation: str
    """Hash: type, `head`, newest `seq`, `delivered`, and `sent_in`, the newest week with records of client_msg_ids
    (logs/append.lua); of a direct conversation `blocks`, who of the two has blocked the other."""
    log: str
    """Stream: all that happened in the conversation: kind, time, and a message's seq or a fact's data."""
    messages: str
    """Hash: seq → the message as it stands now (JSON)."""


class GroupKeys(NamedTuple):
    """The further keys of a group, in the order in which scripts take them. logs/members.py has the values."""

    members: str
    """Hash: user → role, and the entry and seq at which it joined."""
    left: str
    """Hash: user → the entry and seq at which it left last."""
    leavers: str
    """Hash: user → the entry with which it left, until its inbox has that."""
    invites: str
    """Hash: id of an invitation → who may use it, how often, and until when."""


class UserKeys(NamedTuple):
    """The keys that a delivery to a user writes, in the order in which scripts take them."""

    user: str
    """Hash: account, inbox `head`, and whether and when the user is seen (identity/sightings.py)."""
    inbox: str
    """Stream: the user's events: which conversation's, kind, and a message's seq or a fact's data."""
    places: str
    """Hash: conversation → the place up to which this user has its log (logs/inbox.py)."""


class FeedKeys(NamedTuple):
    """The keys of a feed, in the order in which scripts take them."""

    feed: str
    """Hash: who may read and publish, what is kept, `head`, and what the log holds (logs/feeds.py)."""
    log: str
    """Stream: the events that are kept, in a feed with keys the newest of each key: name and data."""
    latest: str
    """Hash: key → the entry with its newest value, and the bytes of that."""
    ids: str
    """Hash with a TTL: `<who>:<id>` → what was published under it."""
    other_ids: str
    """The same: the two take turns."""


def bucket(of: str) -> int:
    """The bucket of an id, by the CRC16 of Redis Cluster."""
    return crc_hqx(of.encode(), 0) % BUCKETS


@lru_cache(CACHED)
def of_conversation(conversation_id: str) -> ConversationKeys:
    """The keys of a conversation."""
    key = conversation(conversation_id)
    return ConversationKeys(key, f"{key}/log", f"{key}/messages")


def conversation(conversation_id: str) -> str:
    """The first of a conversation's keys."""
    return f"{{c{bucket(conversation_id)}}}{conversation_id}"


@lru_cache(CACHED)
def of_group(conversation_id: str) -> GroupKeys:
    """The further keys of a group."""
    key = of_conversation(conversation_id).conversation
    return GroupKeys(f"{key}/members", f"{key}/left", f"{key}/leavers", f"{key}/invites")


def reactions(conversation_id: str) -> str:
    """Sorted set, all scores 0: `<seq>:<emoji>:<user>`."""
    return f"{of_conversation(conversation_id).conversation}/reactions"


@lru_cache(CACHED)
def sent(conversation_id: str, week: int) -> tuple[str, str, str]:
    """Hashes with a TTL: `<sender>:<client_msg_id>` → digest of the request and the seq it became.

    Those of the week before, of this week, and of the week after.
    """
    key = of_conversation(conversation_id).conversation
    return f"{key}/sent/{week - 1}", f"{key}/sent/{week}", f"{key}/sent/{week + 1}"


@lru_cache(CACHED)
def of_user(user_id: str) -> UserKeys:
    """The keys of a user."""
    key = user(user_id)
    return UserKeys(key, f"{key}/inbox", f"{key}/conversations")


def user(user_id: str) -> str:
    """The first of a user's keys."""
    return f"{{u{bucket(user_id)}}}{user_id}"


@lru_cache(CACHED)
def of_feed(name: str) -> FeedKeys:
    """The keys of a feed."""
    key = feed(name)
    return FeedKeys(key, f"{key}/log", f"{key}/latest", f"{key}/ids/0", f"{key}/ids/1")


def feed(name: str) -> str:
    """The first of a feed's keys."""
    return f"{{f{bucket(name)}}}{name}"


def live_feed(name: str) -> str:
    """Channel: wake-ups for the streams of one feed."""
    return f"{feed(name)}/live"


def is_of_a_feed(channel: bytes) -> bool:
    """Whether a channel is one of a feed. `startswith` would cost a thousand instructions more, for each event."""
    return channel[: len(OF_FEEDS)] == OF_FEEDS


def directory(beginning: str) -> str:
    """Sorted set, all scores 0: the users whose names begin with these characters."""
    return f"{{d:{beginning}}}"


def blocks(user_id: str) -> str:
    """Sorted set, all scores 0: whom the user has blocked."""
    return f"{user(user_id)}/blocks"


def live(user_id: str) -> str:
    """Channel: wake-ups for the streams of one user."""
    return f"{user(user_id)}/live"


def sessions(user_id: str) -> str:
    """Hash with a TTL: the sessions in which a user is signed in, by id (identity/sessions.py)."""
    return f"{user(user_id)}/sessions"


def user_of(channel: bytes) -> str | None:
    """Whose channel this is; None: no user's."""
    if not channel.startswith(b"{u"):
        return None
    return channel[channel.index(b"}") + 1 : -len(b"/live")].decode()


def watch_lists(user_id: str) -> str:
    """Hash with a TTL: device → whom it watches (identity/watch_lists.py)."""
    return f"{user(user_id)}/watch"


def roll(worker: str) -> str:
    """Hash with a TTL: the users who have streams on a worker. In one slot with `ROLLS`."""
    return f"{ROLLS}/{worker}"


def quota(kind: str, of: str) -> str:
    """String with a TTL: the time at which this quota of an address, an account or a user is full again."""
    return f"{{q:{kind}:{of}}}"


def places(account: str) -> str:
    """Sorted set with a TTL: digests of the networks from which an account (its name's digest) has signed in, by the
    time of the last sign-in."""
    return f"{{p:{account}}}"


def ticket(digest: str) -> str:
    """String with a TTL: the identity that a single-use stream ticket stands for."""
    return f"{{t:{digest}}}"
