"""Runs deploy/compose.yaml with a project, volumes, networks and ports of its own, and removes them afterwards."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import time
from functools import cached_property

import httpx
import jwt

from serving import ROOT, environment, until

COMPOSE_FILE = ROOT / "deploy" / "compose.yaml"
BUILD_ARGUMENTS = "SSECHAT_BUILD_ARGS"
"""The variable with what `podman build` needs on this machine: certificates, a registry's settings."""
CA = "/data/caddy/pki/authorities/local/root.crt"
READY_SECONDS = 60.0
APP_PORT = ":1F40"
ESTABLISHED = "01"
"""As /proc/net/tcp has them."""
COMMAND_SECONDS = 300.0


class StackFailed(Exception):
    """A command of the stack failed; the text has its output."""


def run(*command: str, env: dict[str, str] | None = None, seconds: float = COMMAND_SECONDS) -> str:
    """Runs a command in the top folder; what it said on stdout.

    Raises:
        StackFailed: it failed.
    """
    done = subprocess.run(
        command, cwd=ROOT, env=env or environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=seconds,
    )  # fmt: skip
    if done.returncode != 0:
        raise StackFailed(
            f"{shlex.join(command)}: exit code {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
    return done.stdout


def free_port() -> int:
    """A free port of the loopback interface."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def image_of(name: str) -> str:
    """An image that the stack is made of: the compose file's, unless this machine's environment names another."""
    variable = f"CHAT_{name}_IMAGE"
    [pinned] = re.findall(rf"\$\{{{variable}:-([^}}]+)\}}", COMPOSE_FILE.read_text())
    return os.environ.get(variable) or pinned


class Stack:
    """The stack. As a context manager it is removed at the end, with its volumes."""

    def __init__(self, **settings: str) -> None:
        """`settings` are those of deploy/.env.example, without `CHAT_`."""
        self.seed = os.getpid()
        self.port = free_port()
        self.project = f"ssechat-test-{self.seed}"
        # From the test networks of RFC 2544, so that two runs on a machine do not meet, nor a stack in use.
        net = f"198.18.{self.seed % 256}"
        own = {
            "IMAGE": f"localhost/{self.project}:latest",
            "HTTPS_PORT": str(self.port),
            "HTTP_PORT": str(free_port()),
            "PROMETHEUS_PORT": str(free_port()),
            "SUBNET": f"{net}.0/24",
            "RANGE": f"{net}.128/25",
            "FRONT_ADDRESS": f"{net}.10",
            **settings,
        }
        self.environment = {
            **environment({f"CHAT_{name}": value for name, value in own.items()}),
            "COMPOSE_PROJECT_NAME": self.project,
            "ENGINE": "podman",
            "COMPOSE": self.command,
        }
        self.image = own["IMAGE"]
        self.prometheus = f"http://127.0.0.1:{own['PROMETHEUS_PORT']}"
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    @property
    def url(self) -> str:
        """The proxy's URL."""
        return f"https://localhost:{self.port}"

    @property
    def command(self) -> str:
        """podman-compose, with what a build needs here."""
        build = os.environ.get(BUILD_ARGUMENTS, "")
        return shlex.join(["podman-compose", *([f"--podman-build-args={build}"] if build else [])])

    def compose(self, *arguments: str) -> str:
        """Runs podman-compose on the project."""
        return run(*shlex.split(self.command), "-f", str(COMPOSE_FILE), *arguments, env=self.environment)

    def up(self, *arguments: str) -> None:
        """Starts missing containers, and waits until a message can be sent."""
        self.compose("up", "-d", *arguments)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Waits until every container is healthy, and the proxy has its certificate."""
        until(lambda: all(map(self.healthy, self.containers())), READY_SECONDS)
        until(self._has_ca, READY_SECONDS)

    def containers(self, service: str = "", *, everything: bool = False) -> list[str]:
        """The ids of the running containers of a service, or of all; the oldest first. Or also of those that ended."""
        wanted = [f"--filter=label=com.docker.compose.project={self.project}"]
        if service:
            wanted.append(f"--filter=label=com.docker.compose.service={service}")
        if everything:
            wanted.append("--all")
        return run("podman", "ps", "-q", "--sort=created", *wanted).split()

    def healthy(self, container: str) -> bool:
        """Whether its health check says so. (podman runs the checks with systemd's timers; there may be no systemd.)"""
        try:
            run("podman", "healthcheck", "run", container)
        except StackFailed:
            return False
        return True

    def inspect(self, name: str) -> dict[str, object]:
        """The data of `podman inspect`."""
        [found] = json.loads(run("podman", "inspect", name))
        return dict(found)

    def execute(self, service: str, *command: str) -> str:
        """Runs a command in the first container of a service."""
        return self.execute_in(self.containers(service)[0], *command)

    def execute_in(self, container: str, *command: str) -> str:
        """Runs a command in a container."""
        return self.podman("exec", container, *command)

    def podman(self, *arguments: str) -> str:
        """Runs podman."""
        return run("podman", *arguments)

    def logs(self, container: str) -> str:
        """The output of a container on stdout and stderr."""
        done = subprocess.run(["podman", "logs", container], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout + done.stderr

    def client(self, user: str | None = None) -> httpx.Client:
        """An HTTP client through the proxy, with a token for `user`."""
        headers = {} if user is None else {"Authorization": f"Bearer {self.token(user)}"}
        return httpx.Client(base_url=self.url, verify=self.tls, headers=headers, timeout=20, trust_env=False)

    def connections(self) -> list[int]:
        """How many connections each app container has, to its own port."""
        counts = []
        for container in self.containers("app"):
            lines = [line.split() for line in self.execute_in(container, "cat", "/proc/net/tcp").splitlines()[1:]]
            counts.append(sum(line[1].endswith(APP_PORT) and line[3] == ESTABLISHED for line in lines))
        return counts

    def crash(self, container: str) -> None:
        """Kills its first process with SIGKILL, behind podman's back, and waits until the container is back and well.

        What `podman kill` ends is not started again.
        """
        killed = self._process(container)
        os.kill(killed, signal.SIGKILL)
        until(lambda: self._process(container) not in (killed, 0), READY_SECONDS)
        self.wait_ready()

    def _process(self, container: str) -> int:
        """The id of its first process, as this machine sees it; 0 when it does not run."""
        state = self.inspect(container)["State"]
        assert isinstance(state, dict)
        return int(state["Pid"])

    def remove_newest(self, service: str, count: int) -> None:
        """Removes the newest containers of a service."""
        for container in self.containers(service)[-count:]:
            self.podman("stop", container)
            self.podman("rm", container)

    def tls_changed(self) -> bool:
        """Whether the front has made another authority since it was first asked for."""
        return self.execute("front", "cat", CA) != self.ca

    def token(self, user: str) -> str:
        """Mints a token, as `ssechat token` does."""
        if user not in self._tokens:
            self._tokens[user] = jwt.encode({"sub": user, "exp": time.time() + 86400}, self._key, algorithm="HS256")
        return self._tokens[user]

    @cached_property
    def _key(self) -> str:
        return self.execute("app", "cat", "/keys/jwt.key").strip()

    @cached_property
    def ca(self) -> str:
        """The certificate of the front's own authority (PEM)."""
        return self.execute("front", "cat", CA)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """A TLS context that trusts only the proxy's own authority."""
        return ssl.create_default_context(cadata=self.ca)

    def _has_ca(self) -> bool:
        with contextlib.suppress(StackFailed):
            return "BEGIN CERTIFICATE" in self.execute("front", "cat", CA)
        return False

    def remove(self) -> None:
        """Removes containers, networks, volumes and the image."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "3")
        run("podman", "rmi", "--force", "--ignore", self.image)
