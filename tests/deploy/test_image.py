"""The container image: size, user, first process, and a server with an embedded Redis."""

import contextlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving import until

from .stack import Stack, StackFailed, free_port, image_of, run

BASE = image_of("PYTHON")
MEBIBYTE = 2**20
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges", "--user=10001:10001")


class Container:
    """A container of the image with its default command and a volume."""

    def __init__(self, stack: Stack) -> None:
        self.port = free_port()
        self.name = f"{stack.project}-alone"
        self.image = stack.image

    def start(self) -> None:
        """Starts it, and waits until it is ready."""
        publish, volume = f"--publish=127.0.0.1:{self.port}:8000", f"--volume={self.name}:/data"
        run("podman", "run", "-d", "--name", self.name, publish, volume, *HARDENED, self.image)
        until(self._ready, 30)

    def _ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz/ready", trust_env=False).status_code == 200
        return False

    def stop(self) -> int:
        """Stops the container; returns its exit code."""
        run("podman", "stop", "-t", "30", self.name)
        [found] = json.loads(run("podman", "inspect", self.name))
        run("podman", "rm", self.name)
        return int(found["State"]["ExitCode"])

    def token(self, user: str) -> str:
        """A token, made in the container."""
        return run("podman", "exec", self.name, "ssechat", "token", "--create", user).strip()


@pytest.fixture
def alone(stack: Stack) -> Iterator[Container]:
    container = Container(stack)
    try:
        container.start()
        yield container
    finally:
        run("podman", "rm", "--force", "--ignore", container.name)
        run("podman", "volume", "rm", "--force", container.name)


def test_it_adds_little_to_pythons_and_runs_as_nobody_in_particular(stack: Stack) -> None:
    sizes = [json.loads(run("podman", "image", "inspect", name))[0]["Size"] for name in (stack.image, BASE)]
    assert sizes[0] - sizes[1] < 84 * MEBIBYTE
    [image] = json.loads(run("podman", "image", "inspect", stack.image))
    config: Any = image["Config"]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.title"] == "ssechat"
    said = run(
        "podman",
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        stack.image,
        "-c",
        "command -v gcc git uv; ls /source /build; true",
    )
    assert said == ""


def test_alone_it_keeps_every_message_and_takes_its_leave(alone: Container) -> None:
    headers = {"Authorization": f"Bearer {alone.token('alice')}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{alone.port}", headers=headers, trust_env=False) as alice:
        body = {"to": "alice", "text": "kept", "client_msg_id": "one"}
        # A user exists from the first request on.
        assert alice.get("/v1/session").status_code == 200
        assert alice.post("/v1/messages", json=body).status_code == 201
        stream = http.client.HTTPConnection("127.0.0.1", alone.port, timeout=60)
        try:
            stream.request("GET", "/v1/events", headers=headers)
            answer = stream.getresponse()
            assert answer.readline().startswith(b"event: retry")
            began = time.monotonic()
            # As process 1 it gets SIGTERM like any other, or this would take until it is killed, with code 137.
            assert alone.stop() == 0
            assert time.monotonic() - began < 15
            with pytest.raises(http.client.IncompleteRead) as cut:  # otherwise some clients would not reconnect
                answer.read()
            assert re.search(rb'event: bye\nretry: \d+\ndata: {"reason":"drain"}', cut.value.partial)
        finally:
            stream.close()
        alone.start()
        again = alice.post("/v1/messages", json=body)
        assert (again.status_code, again.json()["text"]) == (200, "kept")


def test_its_health_check_fails_where_nobody_listens(stack: Stack) -> None:
    check = ("python", "-I", "/opt/ssechat/healthy.py")
    run("podman", "exec", stack.containers("app")[0], *check)
    with pytest.raises(StackFailed, match="exit code 1"):
        run("podman", "exec", "--env", "SSECHAT_PORT=9", stack.containers("app")[0], *check)
