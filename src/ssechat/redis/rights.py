"""The commands, keys and channels that the server needs of Redis, each with a trial on keys that nobody uses.

A script's commands are checked against the user's rights as others are, and a command may be renamed for scripts, too.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ssechat.redis import keys
from ssechat.redis.connection import Argument, Reply
from ssechat.redis.refusals import RedisRefused, Refusal, parse_refusal

KEYS = ("{c*", "{d:*", "{f*", "{p:*", "{q:*", "{t:*", "{u*", "ssechat:*")
"""Patterns of all keys in keys.py."""

CHANNELS = ("{f*", "{u*", "ssechat:*")
"""Patterns of all channels in keys.py."""

NOBODY = "-try"
"""A name that no user, conversation, session or ticket can have."""

SECONDS = "60"
"""The TTL of the keys that the trials write, in seconds."""

WORD = "tried"
"""The message that the trials publish; subscribers ignore it."""

USER, INBOX, _ = keys.of_user(NOBODY)
CONVERSATION, LOG, _ = keys.of_conversation(NOBODY)
FEED = keys.feed(NOBODY)
QUOTA, PLACES = keys.quota(NOBODY, NOBODY), keys.places(NOBODY)
DIRECTORY = keys.directory(NOBODY)
OF_SCRIPT = (USER, INBOX, CONVERSATION, QUOTA, PLACES, FEED)

SCRIPT = f"""
local user, inbox, conversation, quota, places, feed = unpack(KEYS)
for _, key in ipairs({{user, conversation}}) do
  redis.call('HSET', key, 'tried', '1')
  redis.call('EXPIRE', key, {SECONDS})
end
redis.call('HSETNX', user, 'tried', '1')
redis.call('HGET', user, 'tried')
redis.call('HMGET', conversation, 'tried')
redis.call('HEXISTS', user, 'tried')
redis.call('EXISTS', conversation)
redis.call('XADD', inbox, 'MAXLEN', '~', '1', '*', 'tried', '1')
redis.call('XRANGE', inbox, '-', '+', 'COUNT', '1')
redis.call('XDEL', inbox, '1-1')
redis.call('EXPIRE', inbox, {SECONDS})
redis.call('HSET', feed, 'tried', '1')
redis.call('EXPIRE', feed, {SECONDS})
redis.call('SET', quota, redis.call('TIME')[1], 'PX', '1000')
redis.call('GET', quota)
redis.call('ZADD', places, '1', 'tried')
redis.call('ZSCORE', places, 'tried')
redis.call('ZREMRANGEBYRANK', places, 0, 0)
redis.call('ZREM', places, 'tried')
redis.call('ZREMRANGEBYLEX', places, '[tried', '[tried')
redis.call('DEL', places)
redis.call('HLEN', conversation)
redis.call('HGETALL', conversation)
redis.call('HDEL', conversation, 'tried')
redis.call('PUBLISH', user .. '/live', '{WORD}')
return 'ok'
"""
"""Every command that a script of ours uses, on the keys of a send and of a sign-in."""

TRIALS: tuple[tuple[Argument, ...], ...] = (
    ("PING",),
    ("EVAL", SCRIPT, len(OF_SCRIPT), *OF_SCRIPT),
    ("EVALSHA", hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest(), len(OF_SCRIPT), *OF_SCRIPT),
    ("HSET", USER, WORD, "1"),
    ("EXPIRE", USER, SECONDS),
    ("HSET", CONVERSATION, WORD, "1"),
    ("EXPIRE", CONVERSATION, SECONDS),
    ("HSETNX", USER, WORD, "1"),
    ("HGET", USER, WORD),
    ("HMGET", USER, WORD),
    ("HEXISTS", USER, WORD),
    ("EXISTS", CONVERSATION),
    ("HGETALL", USER),
    ("HLEN", CONVERSATION),
    ("HSCAN", CONVERSATION, "0", "COUNT", "1"),
    ("HDEL", CONVERSATION, WORD),
    ("TIME",),
    ("SET", QUOTA, WORD, "EX", SECONDS),
    ("ZADD", PLACES, "1", WORD),
    ("ZSCORE", PLACES, WORD),
    ("ZREMRANGEBYRANK", PLACES, "0", "0"),
    ("ZMSCORE", PLACES, WORD),
    ("ZLEXCOUNT", PLACES, "-", "+"),
    ("ZRANGEBYLEX", DIRECTORY, "-", "+", "LIMIT", "0", "1"),
    ("ZREM", PLACES, WORD),
    ("ZREMRANGEBYLEX", PLACES, "[tried", "[tried"),
    ("XADD", LOG, "MAXLEN", "~", "1", "*", WORD, "1"),
    ("EXPIRE", LOG, SECONDS),
    ("XRANGE", LOG, "-", "+", "COUNT", "1"),
    ("XDEL", LOG, "1-1"),
    ("HSET", FEED, WORD, "1"),
    ("EXPIRE", FEED, SECONDS),
    ("GET", keys.KEY_FINGERPRINT),
    ("GET", keys.FORMAT),
    ("SET", keys.ticket(NOBODY), WORD, "EX", SECONDS),
    ("GETDEL", keys.ticket(NOBODY)),
    ("HVALS", USER),
    ("PUBSUB", "NUMSUB", keys.live(NOBODY)),
    ("PUBLISH", keys.live(NOBODY), WORD),
    ("PUBLISH", keys.live_feed(NOBODY), WORD),
    ("PUBLISH", keys.CONTROL, WORD),
    # One by one: of several, Redis does not say which it refuses.
    *(("DEL", key) for key in (*OF_SCRIPT, LOG)),
)
"""The trials on the connection for commands."""

OF_A_START: tuple[tuple[Argument, ...], ...] = (
    ("INFO", "server"),
    ("SUBSCRIBE", keys.live(NOBODY)),
    ("UNSUBSCRIBE", keys.live(NOBODY)),
    ("SUBSCRIBE", keys.live_feed(NOBODY)),
    ("UNSUBSCRIBE", keys.live_feed(NOBODY)),
    ("SUBSCRIBE", keys.CONTROL),
    ("UNSUBSCRIBE", keys.CONTROL),
)
"""The trials that run at start only: they need a connection of their own, or their commands are needed at start
only."""

ONLY = {"pubsub": "pubsub|numsub"}
"""The subcommand that is needed, of commands of which only one is."""

_TRIED = {str(command).lower() for command, *_ in (*TRIALS, *OF_A_START)}

COMMANDS = tuple(sorted(ONLY.get(command, command) for command in _TRIED))
"""All commands that are needed."""

NAMED = (*COMMANDS, *ONLY, "auth", "config|get", "select")
"""Commands that may be named; SELECT is needed where the URL names a database."""

WORDS = (
    *("resetkeys", *(f"~{pattern}" for pattern in KEYS)),
    *("resetchannels", *(f"&{pattern}" for pattern in CHANNELS)),
    *("-@all", *(f"+{command}" for command in COMMANDS)),
)
"""The words of ACL SETUSER that give a user exactly what is needed."""

_SCRIPTED = ("EVAL", "EVALSHA")
_ON_CHANNELS = ("PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE")


class Finding(NamedTuple):
    """A kind of refusal that the trials have met."""

    code: str
    sentence: str


async def try_all(
    send: Callable[..., "asyncio.Future[Reply]"], user: str, trials: Iterable[Sequence[Argument]] = TRIALS
) -> list[Finding]:
    """Runs the trials in one round trip; returns a finding per kind of refusal. `user` is the ACL user of the
    connection.

    Raises:
        RedisUnavailable: Redis cannot be asked.
    """
    sent = [(trial, send(*trial)) for trial in trials]
    outcomes = await asyncio.gather(*(future for _, future in sent), return_exceptions=True)
    refused = []
    for (trial, _), outcome in zip(sent, outcomes, strict=True):
        if isinstance(outcome, RedisRefused):
            refused.append((trial, parse_refusal(str(outcome), NAMED)))
        elif isinstance(outcome, BaseException):
            raise outcome
    return summed_up(refused, user)


def summed_up(refused: Iterable[tuple[Sequence[Argument], Refusal]], user: str) -> list[Finding]:
    """A finding for each kind of refusal."""
    lacking: list[str] = []
    unknown: list[str] = []
    others: dict[str, str] = {}
    for trial, refusal in refused:
        if refusal.code == "NOPERM":
            lacking += right(refusal, trial)
        elif refusal.code == "UNKNOWN":
            unknown += [refusal.what.upper()] * bool(refusal.what)
        if refusal.code != "NOSCRIPT":  # follows from a refused EVAL
            others[refusal.code] = refusal.advice
    if lacking:
        others["NOPERM"] = missing(lacking, user)
    if unknown:
        names = ", ".join(dict.fromkeys(unknown))
        others["UNKNOWN"] = (
            f"it does not know {names}, which ssechat needs; take the rename-command for it out of its configuration"
        )
    return [Finding(code, sentence) for code, sentence in others.items()]


def right(refusal: Refusal, trial: Sequence[Argument] = ()) -> list[str]:
    """The ACL SETUSER rules that allow what was refused; empty if unknown, as for a script."""
    command, where = (*map(str, trial[:2]), "", "")[:2]
    if refusal.what == "key" and command not in _SCRIPTED:
        return [f"~{pattern}" for pattern in KEYS if where.startswith(pattern[:-1])]
    if refusal.what == "channel" and command in _ON_CHANNELS:
        return [f"&{pattern}" for pattern in CHANNELS if where.startswith(pattern[:-1])]
    return [f"+{ONLY.get(refusal.what, refusal.what)}"] if refusal.what in NAMED else []


def missing(words: Iterable[str], user: str) -> str:
    """A sentence that names the missing permissions of a user and the ACL SETUSER command that grants them."""
    wanted = list(dict.fromkeys(words))
    commands = [word[1:].upper() for word in wanted if word[0] == "+"]
    parts = [f"call {', '.join(commands)}"] if commands else []
    parts += [f"use keys {word[1:]}" for word in wanted if word[0] == "~"]
    parts += [f"use channels {word[1:]}" for word in wanted if word[0] == "&"]
    return f"its user may not {'; '.join(parts)}. What allows it: ACL SETUSER {user} {' '.join(wanted)}"
