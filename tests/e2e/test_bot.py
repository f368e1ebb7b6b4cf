"""The bot of the documentation, as pasted, against two workers: it, they and Redis are killed while people write."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bots import programs
from e2e.api import mint, serve
from serving import Server, environment, kill_processes
from ssechat.client import Client

pytestmark = pytest.mark.anyio

PEOPLE = ("alice", "carol")
TEXTS = [f"{number}" for number in range(12)]
SECONDS = 60.0


class Bot:
    """A running bot, in a folder of its own, where it keeps what it must know."""

    def __init__(self, folder: Path, program: str, server: Server) -> None:
        (folder / "bot.py").write_text(program)
        self.bookmark = folder / "echo.bookmark"
        self._output = folder / "output"
        self._folder = folder
        self._environment = environment({"SSECHAT_SERVER": server.url, "SSECHAT_TOKEN": mint(server, "echo")})
        self.start()

    def start(self) -> None:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "bot.py"],
                cwd=self._folder,
                env=self._environment,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """Kills it, as the kernel's out-of-memory killer does."""
        self._process.kill()
        self._process.wait()

    @property
    def seen(self) -> str:
        """Its bookmark."""
        return self.bookmark.read_text() if self.bookmark.exists() else ""

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._output.read_text()


def restart(server: Server, folder: Path) -> Server:
    """Kills the workers, Redis and what started them, and starts it all again."""
    port = server.port
    server.kill()
    kill_processes(server.family())
    server.close()
    return serve(folder, "--port", str(port)).wait_ready()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def write(chat: Client, number: int) -> None:
    for text in TEXTS:
        await chat.send("echo", f"{number}.{text}", patience=SECONDS)
        await asyncio.sleep(0.02)


async def answers(chat: Client) -> list[str]:
    """All that the bot has said to somebody, up to the answer to their last word."""
    last = await chat.send("echo", "the end", patience=SECONDS)
    async with asyncio.timeout(SECONDS):
        while True:
            said = [each async for each in chat.history(last.conversation_id, after=0)]
            found = [each.text for each in said if each.sender == "echo"]
            if "the end" in found:
                return found[: found.index("the end")]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("program", programs().values(), ids=programs())
async def test_the_bot_answers_each_message_once_though_it_and_the_server_are_killed(
    tmp_path: Path, program: str
) -> None:
    running = serve(tmp_path)
    async with AsyncExitStack() as stack:
        stack.callback(lambda: running.close())
        await asyncio.to_thread(running.wait_ready)
        chats = {name: Client(running.url, mint(running, name)) for name in (*PEOPLE, "echo")}
        for chat in chats.values():
            await stack.enter_async_context(chat)
            await chat.user()  # there is a user from the first request on
        bot = Bot(tmp_path, program, running)
        stack.callback(bot.kill)
        for number in range(4):
            before = bot.seen

            def gets_on(before: str = before) -> bool:
                return bot.seen != before

            async with asyncio.TaskGroup() as group:
                for name in PEOPLE:
                    group.create_task(write(chats[name], number))
                await until(gets_on)
                bot.kill()
                if number == 1:
                    running = await asyncio.to_thread(restart, running, tmp_path)
                # As if it had been killed when it had sent, and had not kept yet that it had seen.
                bot.bookmark.write_text(before)
                bot.start()
        wanted = [f"{number}.{text}" for number in range(4) for text in TEXTS]
        for name in PEOPLE:
            assert Counter(await answers(chats[name])) == Counter(wanted)
        assert bot.said == ""
