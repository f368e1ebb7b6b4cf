"""Checks an external Redis at start: version, durability and permissions."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from ssechat import __version__
from ssechat.errors import RedisUnavailable, SettingsError
from ssechat.redis import keys
from ssechat.redis.binary import OLDEST
from ssechat.redis.connection import CommandConnection, Reply, open_connection, unopened_connection
from ssechat.redis.refusals import RedisRefused, parse_refusal
from ssechat.redis.rights import NAMED, OF_A_START, TRIALS, Finding, missing, right, try_all
from ssechat.redis.url import FILES, SHAPE, check_url, options_of, shown_url, user_of
from ssechat.texts.printable import one_line

MOVE_ON = """
local known = redis.call('GET', KEYS[1])
if known ~= ARGV[1] then return known end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
"""
"""Replaces the fingerprint ARGV[1] by ARGV[2], unless somebody else has replaced it; returns what stands then."""


@dataclass(frozen=True)
class RedisFacts:
    """Facts about a Redis from INFO and CONFIG. A setting that it does not show is None."""

    name: str
    """"Redis" or "Valkey"."""
    version: str
    appendonly: bool | None
    appendfsync: str | None
    maxmemory_policy: str | None
    warnings: tuple[str, ...]
    """Sentences about settings with which an acknowledged message can be lost."""


async def check_redis(url: str, timeout: float) -> RedisFacts:
    """Connects to Redis and reads its version and durability settings.

    `timeout` is in seconds, for the whole check.

    Raises:
        SettingsError: unreachable, not allowed in, too old, a replica, still loading, or it evicts data.
    """
    check_url(url)
    _check_certificates(url, timeout)
    where = shown_url(url)
    async with _asked(url, timeout) as connection:
        info, config = await _ask(connection)
        facts = judge(info, config, where) if info is not None else None
        _refuse(await try_all(connection.send, user_of(url), (*TRIALS, *OF_A_START)), url)
    if facts is None:
        raise SettingsError(f"Redis at {where} cannot be used: its user may not call INFO.")
    return facts


async def check_format(url: str, timeout: float, *, own: bool = False) -> None:
    """See to it that the data in this Redis has this version's format; an empty one is given it.

    `timeout` is in seconds. `own`: nobody else uses this Redis, so whatever is in it is ours.

    Raises:
        SettingsError: the data is another version's, or Redis cannot be asked.
    """
    async with _asked(url, timeout) as connection:
        _refuse(await try_all(connection.send, user_of(url), (("GET", keys.FORMAT),)), url)
        known = await connection.send("GET", keys.FORMAT)
        # Version 0.1 noted no format; in a Redis that servers shared, it noted the key that they sign with.
        is_old = await connection.send(*(("DBSIZE",) if own else ("EXISTS", keys.KEY_FINGERPRINT)))
        if known is None and not is_old:
            await connection.send("SET", keys.FORMAT, keys.FORMAT_OF_THIS_VERSION, "NX")
            known = await connection.send("GET", keys.FORMAT)
    if known == keys.FORMAT_OF_THIS_VERSION.encode():
        return
    version = "ssechat 0.1" if known is None else f"another version (format {one_line(ascii(known.decode()))})"
    where, instead = f"the Redis at {shown_url(url)}", "another database or an empty Redis (--redis-url)"
    if own:
        where, instead = "the data folder", "another folder (--data)"
    raise SettingsError(
        f"the data in {where} was written by {version}, and ssechat {__version__} reads format "
        f"{keys.FORMAT_OF_THIS_VERSION!r} only: start with {instead}, or go on with the version that wrote it"
    )


async def check_key(
    url: str, fingerprint: str, timeout: float, *, upcoming: Collection[str] = (), former: Collection[str] = ()
) -> None:
    """Checks that all servers of this Redis know the key that each signs with. Redis stores the fingerprint of the key.

    A server that signs with the next key after the stored one moves it on: the stored one is among its `former`. One
    that does not sign with the stored one yet has it among the `upcoming`. `timeout` is in seconds.

    Raises:
        SettingsError: another key is in use, or Redis cannot be asked.
    """
    name = keys.KEY_FINGERPRINT
    async with _asked(url, timeout) as connection:
        trials = (("SET", name, fingerprint, "NX"), ("GET", name))
        _refuse(await try_all(connection.send, user_of(url), trials), url)
        known = _decoded(await connection.send("GET", name) or b"")
        if known in former:
            known = _decoded(await connection.send("EVAL", MOVE_ON, 1, name, known, fingerprint) or b"")
    if known != fingerprint and known not in upcoming:
        raise SettingsError(
            f"the servers of the Redis at {shown_url(url)} sign with another key than this one: "
            "give each of them the same key file with --key-file (or the data folder's jwt.key); "
            "`ssechat key rotate` says how to replace it"
        )


def _refuse(findings: Iterable[Finding], url: str) -> None:
    if findings:
        reasons = "; ".join(f"{finding.sentence} ({finding.code})" for finding in findings)
        raise SettingsError(f"Redis at {shown_url(url)} refuses what is needed of it: {reasons}")


class _TrialConnection(CommandConnection):
    """A connection that subscribes only as a trial: messages on channels are not taken for replies."""

    def on_reply(self, reply: Reply) -> None:
        if not (isinstance(reply, list) and reply[:1] == [b"message"]):
            super().on_reply(reply)


@asynccontextmanager
async def _asked(url: str, timeout: float) -> AsyncIterator[CommandConnection]:
    """A connection of ours, whose errors have Redis's codes (redis-py's do not).

    Raises:
        SettingsError: Redis cannot be asked, or not within `timeout` seconds.
    """
    connection = _TrialConnection()
    try:
        async with asyncio.timeout(timeout):
            await open_connection(url, connection, 2 * timeout)  # so that it is this time that runs out
            yield connection
    except TimeoutError:
        raise SettingsError(f"Redis at {shown_url(url)} did not answer within {timeout:g} seconds.") from None
    except RedisUnavailable as error:
        raise SettingsError(_sentence(error, url)) from None
    finally:
        connection.abort()


def _sentence(error: RedisUnavailable, url: str) -> str:
    """Why Redis cannot be asked, and what to do."""
    where = shown_url(url)
    if not isinstance(error, RedisRefused):
        reason = re.sub(r"^Error -?\d+ (while )?connecting to [^ ]+\. ?", "", str(error))
        return f"Redis at {where} cannot be used: {reason or 'it cannot be reached'}"
    refusal = parse_refusal(str(error), NAMED)
    if refusal.code in ("NOAUTH", "WRONGPASS"):
        refused = f"refuses the user or password of --redis-url ({SHAPE})"
        return f"Redis at {where} {refused}: {refusal.advice} ({refusal.code})"
    words = right(refusal) if refusal.code == "NOPERM" else []
    return (
        f"Redis at {where} cannot be used: {missing(words, user_of(url)) if words else refusal.advice} ({refusal.code})"
    )


async def _ask(connection: CommandConnection) -> tuple[Mapping[str, str] | None, Mapping[str, str] | None]:
    """Returns INFO and the settings of CONFIG; None for each that is not allowed (managed services forbid CONFIG)."""
    info = await _if_allowed(connection, "INFO", "everything")
    if info is None:
        return None, None
    lines = (line.partition(":") for line in _decoded(info).splitlines())
    shown = {name: value for name, _, value in lines}
    config: dict[str, str] = {}
    for name in ("appendonly", "appendfsync", "maxmemory-policy"):
        found = await _if_allowed(connection, "CONFIG", "GET", name)
        if found is None:
            return shown, None
        config.update(zip(map(_decoded, found[::2]), map(_decoded, found[1::2]), strict=True))
    return shown, config


async def _if_allowed(connection: CommandConnection, *command: str) -> Reply:
    """The reply; None if Redis refuses the command, or does not know it under this name."""
    try:
        return await connection.send(*command)
    except RedisRefused as error:
        if error.refusal.code in ("NOAUTH", "LOADING"):
            raise
        return None


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def judge(info: Mapping[str, str], config: Mapping[str, str] | None, where: str) -> RedisFacts:
    """The facts, from INFO's and CONFIG GET's answers.

    Raises:
        SettingsError: this Redis must not be used.
    """
    name = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    version = str(info.get("valkey_version" if name == "Valkey" else "redis_version", ""))
    number = re.match(r"(\d+)\.(\d+)", version)
    if number is None or (int(number[1]), int(number[2])) < OLDEST:
        raise SettingsError(f"Redis at {where} has version {version or 'unknown'}; 6.2 or later is needed.")
    if info.get("role") == "slave":
        raise SettingsError(f"Redis at {where} is a replica and takes no writes; give the primary's address.")
    read = config or {}
    if info.get("redis_mode") == "cluster":
        raise SettingsError(f"Redis at {where} is a cluster, which ssechat does not speak yet; give a single Redis.")
    policy = read.get("maxmemory-policy") or info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        raise SettingsError(
            f"Redis at {where} would throw messages away when it is full (maxmemory-policy {policy}). "
            "Set it to noeviction: redis-cli CONFIG SET maxmemory-policy noeviction"
        )
    appendonly = _appendonly(info, read)
    fsync = read.get("appendfsync")
    facts = RedisFacts(
        name=name,
        version=version,
        appendonly=appendonly,
        appendfsync=fsync,
        maxmemory_policy=policy,
        warnings=(),
    )
    return _with_warnings(facts, config_readable=config is not None)


def _appendonly(info: Mapping[str, str], config: Mapping[str, str]) -> bool | None:
    if "appendonly" in config:
        return config["appendonly"] == "yes"
    return info["aof_enabled"] == "1" if "aof_enabled" in info else None


def _with_warnings(facts: RedisFacts, *, config_readable: bool) -> RedisFacts:
    warnings = []
    if facts.appendonly is False:
        warnings.append("Redis keeps no append-only file (appendonly no): a crash of Redis loses messages.")
    elif facts.appendfsync not in (None, "always"):
        lost = "the last second of" if facts.appendfsync == "everysec" else "unwritten"
        warnings.append(
            f"Redis does not sync each write (appendfsync {facts.appendfsync}): a power cut can lose {lost} messages."
        )
    if not config_readable:
        warnings.append("Redis forbids CONFIG: it is unknown whether it syncs each write.")
    if facts.maxmemory_policy is None:
        warnings.append("Redis does not show its maxmemory-policy: make sure that it is noeviction.")
    return replace(facts, warnings=tuple(warnings))


def _check_certificates(url: str, timeout: float) -> None:
    """Checks the certificate and key files that a rediss:// URL names.

    Raises:
        SettingsError: one cannot be read, or is not what it should be.
    """
    options = options_of(urlsplit(url))
    for name in FILES:
        if name in options:
            try:
                Path(options[name]).open("rb").close()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "that is no path"
                raise SettingsError(f"--redis-url: the file of {name} cannot be read: {reason}") from None
    if urlsplit(url).scheme == "rediss":
        try:
            unopened_connection(url, timeout).ssl_context.get()
        except (OSError, ValueError) as error:  # ssl's errors are OSErrors
            reason = getattr(error, "reason", None) or "they are not PEM, or do not belong together"
            raise SettingsError(f"--redis-url: its certificates or keys cannot be used: {reason}") from None
