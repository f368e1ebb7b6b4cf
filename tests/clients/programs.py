"""The clients, and the processes in which they run."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving import environment

from .desk import HERE, MODULES, Desk

NODE = ("eventsource 2", "eventsource 4", "eventsource-client")
PYTHON = ("ssechat.client", "httpx-sse", "sseclient-py", "aiohttp-sse-client")
BROWSERS = ("Chromium", "Firefox")
IN_BROWSERS = {
    "Chromium": ("Chromium", "EventSource"),
    "Firefox": ("Firefox", "EventSource"),
    "fetch-event-source": ("Chromium", "fetch-event-source"),
    "event-source-polyfill": ("Chromium", "event-source-polyfill"),
}
"""Client → the browser that it runs in, and what page.js calls it."""

CLIENTS = (*IN_BROWSERS, *NODE, *PYTHON, "curl")

CHROMIUM = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # What is not on this machine is not reached.
    "--proxy-server=127.0.0.1:9",
)
FIREFOX_PREFERENCES: dict[str, str | float | bool] = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
}


@dataclass(frozen=True, slots=True)
class Reader:
    """The user whose stream the clients read."""

    user: str
    password: str
    token: str


def missing() -> list[str]:
    """The missing programs and packages that clients need."""
    needed = {"node": "node", "curl": "curl", "chromium": "chromium", "firefox-esr": "firefox-esr"}
    found = [package for program, package in needed.items() if shutil.which(program) is None]
    return found if MODULES.is_dir() else [*found, f"`npm ci` in {MODULES.parent}"]


class Programs:
    """The processes of the clients; as a context manager they are ended at the end."""

    def __init__(self, folder: Path, desk: Desk, reader: Reader, servers: Mapping[str, str]) -> None:
        """`servers`: client → the address at which it finds the server."""
        self._folder = folder
        self._desk = desk
        self._reader = reader
        self._servers = servers
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Programs":
        try:
            for client in self._servers.keys() - IN_BROWSERS.keys():
                self._start(client, self._command(client))
            for browser in BROWSERS:
                self._open(browser)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all processes and their children."""
        for process in self._processes:
            os.killpg(process.pid, 9)
            process.wait()
        for thread in self._threads:
            thread.join(5)
        for process in self._processes:
            if process.stdout is not None:
                process.stdout.close()
        self._processes.clear()

    def _command(self, client: str) -> Sequence[str]:
        stream = (f"{self._servers[client]}/v1/events", self._reader.token)
        if client in NODE:
            return ("node", str(HERE / "node" / "clients.js"), client, *stream)
        if client in PYTHON:
            return (sys.executable, "-W", "ignore", "-m", "clients.python", client, *stream)
        return ("bash", str(HERE / "curl.sh"), *stream)

    def _open(self, browser: str) -> None:
        plan = [
            {"name": client, "kind": kind, "server": self._servers[client], **self._credentials()}
            for client, (where, kind) in IN_BROWSERS.items()
            if where == browser and client in self._servers
        ]
        if not plan:
            return
        self._desk.plans[browser] = plan
        profile = self._folder / browser
        profile.mkdir()
        # EventSource is of the page's own origin: of another, Firefox's gives up when the server cannot be reached.
        page = f"{self._servers.get(browser, self._desk.url)}/page.html?{browser}"
        if browser == "Firefox":
            lines = [f'user_pref("{name}", {_script(value)});\n' for name, value in FIREFOX_PREFERENCES.items()]
            (profile / "user.js").write_text("".join(lines))
            command = ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile), page]
        else:
            command = ["chromium", *CHROMIUM, f"--user-data-dir={profile}", page]
        self._start(browser, command)

    def _credentials(self) -> dict[str, str]:
        return {"user": self._reader.user, "password": self._reader.password, "token": self._reader.token}

    def _start(self, name: str, command: Sequence[str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment({"HOME": str(self._folder)}),
                start_new_session=True,
            )
        self._processes.append(process)
        thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            if "\t" in text:
                self._desk.take(text)


def _script(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
