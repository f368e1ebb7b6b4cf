"""What a given Redis is and promises: asked at start, and shown in readiness."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as redis_client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeout

from ssechat.errors import SettingsError
from ssechat.redis import keys

OLDEST = (6, 2)


@dataclass(frozen=True)
class RedisFacts:
    """What a Redis said of itself. A setting is None where it would not say."""

    name: str
    """"Redis" or "Valkey"."""
    version: str
    mode: str
    """"standalone", "cluster" or "sentinel"."""
    appendonly: bool | None
    appendfsync: str | None
    maxmemory_policy: str | None
    warnings: tuple[str, ...]
    """What weakens the promise that an acknowledged message is never lost; a sentence each."""


def shown_url(url: str) -> str:
    """The URL without its password and query, fit for a log."""
    parts = urlsplit(url)
    if not parts.netloc:
        return f"{parts.scheme}://{parts.path}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def check_redis(url: str, timeout: float = 5.0) -> RedisFacts:
    """Connect, and read what the server says of its version and durability.

    `timeout` is in seconds, for the whole check.

    Raises:
        SettingsError: unreachable, not allowed in, too old, a replica, still loading, or it evicts data.
    """
    try:
        # Its own defaults are three attempts with pauses, and a timeout for each read only.
        client = redis_client.Redis.from_url(
            url,
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            # Without HELLO a missing password is said as such: NOAUTH.
            protocol=2,
        )
    except ValueError as error:
        raise SettingsError(f"--redis-url: {error}") from None
    where = shown_url(url)
    try:
        async with asyncio.timeout(timeout):
            return judge(*await _ask(client), where)
    except (TimeoutError, RedisTimeout):
        raise SettingsError(f"Redis at {where} did not answer within {timeout:g} seconds.") from None
    except (RedisError, OSError) as error:
        raise SettingsError(_explain(error, where)) from None
    finally:
        await client.aclose()


async def check_key(url: str, fingerprint: str, timeout: float = 5.0) -> None:
    """See to it that all servers of this Redis sign with one key: the first one's fingerprint is kept there.

    `timeout` is in seconds.

    Raises:
        SettingsError: another key is in use, or Redis cannot be asked.
    """
    client = redis_client.Redis.from_url(
        url,
        socket_connect_timeout=timeout,
        socket_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        decode_responses=True,
    )
    try:
        await client.set(keys.KEY_FINGERPRINT, fingerprint, nx=True)
        known = await client.get(keys.KEY_FINGERPRINT)
    except (RedisError, OSError) as error:
        raise SettingsError(_explain(error, shown_url(url))) from None
    finally:
        await client.aclose()
    if known != fingerprint:
        raise SettingsError(
            f"the servers of the Redis at {shown_url(url)} sign with another key than this one: "
            "give each of them the same key file with --key-file (or the data folder's jwt.key)"
        )


async def _ask(client: Any) -> tuple[Mapping[str, Any], Mapping[str, str] | None]:
    """INFO, and the settings that CONFIG shows; None where CONFIG is not allowed (managed services)."""
    try:
        info = await client.info("everything")
    except NoPermissionError:
        raise SettingsError("--redis-url: its user may not call INFO; ACL SETUSER … +info allows it") from None
    config: dict[str, str] = {}
    try:
        for name in ("appendonly", "appendfsync", "maxmemory-policy"):
            config.update(await client.config_get(name))
    except ResponseError:
        return info, None
    return info, config


def judge(info: Mapping[str, Any], config: Mapping[str, str] | None, where: str) -> RedisFacts:
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
        mode=str(info.get("redis_mode", "standalone")),
        appendonly=appendonly,
        appendfsync=fsync,
        maxmemory_policy=policy,
        warnings=(),
    )
    return _with_warnings(facts, config_readable=config is not None)


def _appendonly(info: Mapping[str, Any], config: Mapping[str, str]) -> bool | None:
    if "appendonly" in config:
        return config["appendonly"] == "yes"
    return bool(info["aof_enabled"]) if "aof_enabled" in info else None


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
        warnings.append("Redis does not let CONFIG be read: whether it syncs each write is not known.")
    if facts.maxmemory_policy is None:
        warnings.append("Redis does not show its maxmemory-policy: see to it that it is noeviction.")
    return replace(facts, warnings=tuple(warnings))


def _explain(error: Exception, where: str) -> str:
    # While it connects, redis-py hides what the server said in a ConnectionError.
    said = error.__cause__ if isinstance(error.__cause__, RedisError) else error
    if isinstance(said, BusyLoadingError):
        return f"Redis at {where} is still loading its data; try again later."
    if isinstance(said, (AuthenticationError, AuthorizationError)):
        return (
            f"Redis at {where} refuses the user or password of --redis-url (redis://user:password@host:port/0): {said}"
        )
    reason = re.sub(r"^Error -?\d+ (while )?connecting to [^ ]+\. ?", "", str(said)) or type(said).__name__
    return f"Redis at {where} cannot be used: {reason}"
