"""Turns error replies of Redis into a code and a sentence of advice.

Nothing else of an error's text is ever shown. It may quote a command's arguments ("unknown command 'AUTH', with args
beginning with: …"), and these may be keys, texts or the password.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from redis.exceptions import RedisError, ResponseError

from ssechat.errors import RedisUnavailable

ADVICE = {
    "OOM": "it has reached its maxmemory; give it more memory, or less to keep",
    "READONLY": "it is a replica and takes no writes; --redis-url must lead to the primary",
    "NOREPLICAS": "it has fewer replicas than its min-replicas-to-write asks for; bring them back, or lower it",
    "MISCONF": "it cannot write to its disk; make room there, and see its own log",
    "NOPERM": "its user lacks a right; deploy/README.md has the line that grants all that are needed",
    "UNKNOWN": "it does not know a command that is needed; take the rename-command for it out of its configuration",
    "LOADING": "it is still loading its data; it will answer when it has",
    "BUSY": "a long-running script blocks it; SCRIPT KILL ends the script",
    "MASTERDOWN": "it is a replica that has lost its primary; --redis-url must lead to the primary",
    "NOAUTH": "it requires a user and a password in --redis-url (redis://user:password@host:port/0)",
    "WRONGPASS": "the user or password of --redis-url is wrong",
    "DENIED": "it is in protected mode and takes no connections of other machines; give it a password",
    "WRONGTYPE": "some key is of another type than ssechat gives it; nobody else may write ssechat's keys",
    "NOSCRIPT": "it has lost a script that was just loaded",
    "MOVED": "it is a cluster, which ssechat does not speak; give a single Redis",
    "CROSSSLOT": "it is a cluster, which ssechat does not speak; give a single Redis",
    "CLUSTERDOWN": "it is a cluster, which ssechat does not speak; give a single Redis",
    "MAXCLIENTS": "it has as many clients as it may have; raise its maxclients",
    "DATABASE": "it has no database of that number; --redis-url ends in it (redis://host:port/0)",
}
"""Advice by code; the code is Redis's own where it has one."""

OTHER = "ERR"
OTHER_ADVICE = "its own log may say why"

PHRASES = (
    (re.compile(r"user executing the script can't|no permissions? to"), "NOPERM"),
    (re.compile(r"nknown (Redis )?(sub)?command"), "UNKNOWN"),
    (re.compile(r"max number of clients reached"), "MAXCLIENTS"),
    (re.compile(r"DB index is out of range|invalid DB index"), "DATABASE"),
    (re.compile(r"invalid password|without any password configured"), "WRONGPASS"),
)
"""Codes for what Redis says without one."""

_OF_A_SCRIPT = re.compile(r"\A-?(ERR Error running script \([^)]*\): )?(@user_script: ?\d+: )*-?")
_CODE = re.compile(r"[A-Z]{2,20}(?= |\Z)")
_COMMAND = re.compile(r"run the '([a-z|]{1,30})' command|nknown command ['`]([A-Za-z]{1,30})['`]")
_OF_A_KEY = re.compile(r"access (a|at least one of the|one of the) keys?|access a key")
_OF_A_CHANNEL = re.compile(r"access (a|one of the) channels?|publish to the channel")


class Refusal(NamedTuple):
    """An error reply, without what it quotes."""

    code: str
    what: str = ""
    """For NOPERM and UNKNOWN: the command (lower case), "key" or "channel", if Redis says it."""

    @property
    def advice(self) -> str:
        """A sentence: the cause, and what to do."""
        return ADVICE.get(self.code, OTHER_ADVICE)


def parse_refusal(text: str, commands: Collection[str] = ()) -> Refusal:
    """Parses an error reply. A command is named only if it is one of `commands` (lower case)."""
    said = _OF_A_SCRIPT.sub("", text, count=1)
    found = _CODE.match(said)
    code = found[0] if found is not None else OTHER
    if code == OTHER:
        code = next((known for phrase, known in PHRASES if phrase.search(said)), OTHER)
    if code not in ("NOPERM", "UNKNOWN"):
        return Refusal(code)
    named = _COMMAND.search(said)
    if named is not None:
        command = (named[1] or named[2]).lower()
        return Refusal(code, command if command in commands else "")
    if _OF_A_KEY.search(said):
        return Refusal(code, "key")
    return Refusal(code, "channel" if _OF_A_CHANNEL.search(said) else "")


class RedisRefused(RedisUnavailable):
    """Redis replied with an error: loading, read-only, out of memory, … Its text must not be shown."""

    @property
    def refusal(self) -> Refusal:
        """The code and the advice, which may be shown."""
        return parse_refusal(str(self))


def refused_by(error: BaseException) -> str | None:
    """The error reply behind an exception of redis-py's, as Redis wrote it; None if there was none."""
    # While it connects, redis-py hides what the server said in a ConnectionError.
    said = error.__cause__ if isinstance(error.__cause__, RedisError) else error
    code = said.status_code if isinstance(said, RedisError) else None
    if code is not None:
        return f"{code} {said}"
    return str(said) if isinstance(said, ResponseError) else None
