#!/usr/bin/env python3
"""Firefox for Playwright: starts the system's Firefox with the arguments given, and passes its WebDriver BiDi on.

Playwright drives a Firefox that is not its own by WebDriver BiDi, and begins every context with a command that Firefox
does not know before release 154: `emulation.setMediaFeaturesOverride`. It is answered here, and has no effect.
"""

import asyncio
import json
import re
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
ADDRESS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
"""What Firefox prints once it listens, and Playwright waits for."""
UNKNOWN = "emulation.setMediaFeaturesOverride"


async def commands(client: ServerConnection, firefox: ClientConnection) -> None:
    """Passes Playwright's commands on, but for the one that Firefox does not know."""
    async for message in client:
        command = json.loads(message)
        if command["method"] == UNKNOWN:
            await client.send(json.dumps({"type": "success", "id": command["id"], "result": {}}))
        else:
            await firefox.send(message)
    await firefox.close()


async def events(firefox: ClientConnection, client: ServerConnection) -> None:
    """Passes Firefox's answers and events on."""
    async for message in firefox:
        await client.send(message)
    await client.close()


async def main(arguments: list[str]) -> int:
    """Runs Firefox with these arguments until it ends; returns its exit code."""
    assert FIREFOX is not None
    process = await asyncio.create_subprocess_exec(FIREFOX, *arguments, stdout=DEVNULL, stderr=PIPE)
    assert process.stderr is not None
    address = ""

    async def relay(client: ServerConnection) -> None:
        assert client.request is not None
        url = address + client.request.path
        async with connect(url, max_size=None, compression=None, ping_interval=None, proxy=None) as firefox:
            await asyncio.gather(commands(client, firefox), events(firefox, client), return_exceptions=True)
        if process.returncode is None:
            process.terminate()  # whoever drove it has gone

    async with serve(relay, "127.0.0.1", 0, max_size=None, compression=None, ping_interval=None) as relaying:
        [listening] = relaying.sockets
        async for line in process.stderr:
            text = line.decode(errors="replace")
            found = ADDRESS.search(text)
            if found is not None:
                address = found[1]
                text = text.replace(address, f"ws://127.0.0.1:{listening.getsockname()[1]}")
            print(text, end="", file=sys.stderr, flush=True)
    return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
