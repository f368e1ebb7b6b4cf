"""The request for a key set: bounded in time and bytes, and led nowhere else."""

import asyncio
import os
import re
import socket
import ssl
from typing import NamedTuple

import httpx

from ssechat import __version__
from ssechat.identity.key_sets import MAX_BYTES, KeySetError
from ssechat.outward import causes
from ssechat.texts.printable import one_line

FETCH_SECONDS = 5.0
"""Seconds for a whole request: to connect, and to read all of the answer."""

REFRESH_SECONDS = 300.0
"""Seconds between two requests, unless the answer's `Cache-Control: max-age` says other ones."""

SHORTEST_REFRESH = 60.0
LONGEST_REFRESH = 600.0
"""Bounds of what `max-age` can say: after at most so many seconds a withdrawn key is noticed."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?([0-9]{1,9})")


class Fetched(NamedTuple):
    """An answer."""

    content: bytes
    fresh_seconds: float
    """Seconds after which to ask again."""


async def fetch(url: str, verify: ssl.SSLContext | bool) -> Fetched:
    """Fetches a URL.

    Raises:
        KeySetError: the answer is not one with a key set.
        TimeoutError, httpx.HTTPError, OSError: there is none.
    """
    async with asyncio.timeout(FETCH_SECONDS):
        return await _get(url, verify)


async def _get(url: str, verify: ssl.SSLContext | bool) -> Fetched:
    # No variable of the environment leads the request elsewhere, and no redirect does.
    client = httpx.AsyncClient(verify=verify, trust_env=False, follow_redirects=False, timeout=FETCH_SECONDS)
    headers = {
        "Accept": "application/jwk-set+json, application/json",
        "Accept-Encoding": "identity",  # a small answer cannot become a large one
        "User-Agent": f"ssechat/{__version__}",
    }
    async with client, client.stream("GET", url, headers=headers) as response:
        if response.is_redirect:
            raise KeySetError(f"it answers {response.status_code}, and redirects are not followed: give the last URL")
        if response.status_code != 200:
            raise KeySetError(f"it answers {response.status_code}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise KeySetError("the answer is compressed though nobody asked for that")
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_BYTES:
                raise KeySetError(f"the answer is larger than {MAX_BYTES // 1024} KiB")
        return Fetched(bytes(content), _fresh_seconds(response.headers.get("cache-control", "")))


def _fresh_seconds(cache_control: str) -> float:
    found = _MAX_AGE.search(cache_control.lower())
    if found is None:
        return REFRESH_SECONDS
    return min(max(float(found[1]), SHORTEST_REFRESH), LONGEST_REFRESH)


def reason(error: Exception) -> str:
    """Why a request failed, in words that quote nothing of the answer."""
    if isinstance(error, KeySetError):
        return str(error)
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"it did not answer within {FETCH_SECONDS:g} s"
    behind = list(causes(error))
    untrusted = next((each for each in behind if isinstance(each, ssl.SSLCertVerificationError)), None)
    if untrusted is not None:
        return f"its certificate is not trusted: {one_line(untrusted.verify_message)}; SSL_CERT_FILE names a CA's file"
    if (name := next((each for each in behind if isinstance(each, socket.gaierror)), None)) is not None:
        return one_line(name.strerror or "its name is not known")
    system = next((each.errno for each in behind if isinstance(each, OSError) and each.errno), None)
    if system is not None:
        return os.strerror(system)
    return "it broke off" if isinstance(error, httpx.TransportError) else type(error).__name__
