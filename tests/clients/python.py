"""The clients for Python, each as its documentation shows it: `python -m clients.python NAME URL TOKEN`."""

import asyncio
import json
import sys
import time
from datetime import timedelta

import aiohttp
import httpx
import requests
from aiohttp_sse_client.client import EventSource
from httpx_sse import connect_sse
from sseclient import SSEClient

from ssechat.client import Client, MessageEvent

CONNECT_SECONDS, SILENCE_SECONDS = 10, 45


def httpx_sse(name: str, url: str, token: str) -> None:
    """httpx-sse: a loop that keeps the id of every event."""
    last, pause = "", 1.0
    timeout = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS)
    with httpx.Client(timeout=timeout, trust_env=False) as client:
        while True:
            try:
                with connect_sse(client, "GET", url, headers=_headers(token, last)) as source:
                    for event in source.iter_sse():
                        last = event.id
                        if event.retry is not None:
                            pause = event.retry / 1000
                        if event.event == "message":
                            _tell(name, event.data)
            except httpx.TransportError:
                pass
            time.sleep(pause)


def sseclient_py(name: str, url: str, token: str) -> None:
    """sseclient-py on requests: a loop that keeps the id of each event that has one."""
    last, pause = "", 1.0
    with requests.Session() as session:
        session.trust_env = False
        while True:
            try:
                timeout = (CONNECT_SECONDS, SILENCE_SECONDS)
                answer = session.get(url, stream=True, headers=_headers(token, last), timeout=timeout)
                for event in SSEClient(answer.iter_content(1024)).events():
                    last = event.id or last
                    if event.retry is not None:
                        pause = int(event.retry) / 1000
                    if event.event == "message":
                        _tell(name, event.data)
            except requests.RequestException:
                pass
            time.sleep(pause)


async def aiohttp_sse_client(name: str, url: str, token: str) -> None:
    """aiohttp-sse-client: it comes back by itself from a complete response only, so from all else a loop does."""
    last = ""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    while True:
        try:
            async with EventSource(
                url, headers=_headers(token, last), timeout=timeout, reconnection_time=timedelta(seconds=1)
            ) as source:
                async for event in source:
                    last = event.last_event_id
                    if (event.type or "message") == "message":
                        _tell(name, event.data)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            pass
        await asyncio.sleep(1)


async def ssechat_client(name: str, url: str, token: str) -> None:
    """Our own: it comes back by itself."""
    async with Client(url.removesuffix("/v1/events"), token) as chat:
        async for event in chat.events():
            if isinstance(event, MessageEvent):
                _tell(name, json.dumps(event.raw))


def _headers(token: str, last: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **({"Last-Event-ID": last} if last else {})}


def _tell(name: str, data: str) -> None:
    print(name, data, sep="\t", flush=True)


def main(name: str, url: str, token: str) -> None:
    """Runs the client of this name for ever."""
    if name == "ssechat.client":
        asyncio.run(ssechat_client(name, url, token))
    elif name == "aiohttp-sse-client":
        asyncio.run(aiohttp_sse_client(name, url, token))
    else:
        {"httpx-sse": httpx_sse, "sseclient-py": sseclient_py}[name](name, url, token)


if __name__ == "__main__":
    main(*sys.argv[1:])
