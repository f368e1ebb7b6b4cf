"""The profile with Prometheus: it finds every app container, and its dashboard shows them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import until

from .stack import Stack, StackFailed, image_of, run

IMAGE = image_of("PROMETHEUS")


@pytest.fixture
def prometheus(stack: Stack, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the Prometheus of the stack."""
    compose = ["--profile", "observe"]
    try:
        run("podman", "run", "--rm", IMAGE, "--version")
    except StackFailed:
        # A stand-in for the image, without its program: this machine's own takes its place.
        program = shutil.which("prometheus")
        assert program, f"neither {IMAGE} nor this machine has a Prometheus"
        service = {"entrypoint": ["/tmp/prometheus"], "volumes": [f"{program}:/tmp/prometheus:ro"]}
        (tmp_path / "program.json").write_text(json.dumps({"services": {"prometheus": service}}))
        compose = ["-f", str(tmp_path / "program.json"), *compose]
    stack.compose(*compose, "up", "-d", "prometheus")
    try:
        with httpx.Client(base_url=stack.prometheus, timeout=5, trust_env=False) as client:
            yield client
    finally:
        for container in stack.containers("prometheus", everything=True):
            run("podman", "rm", "--force", container)


def asked(prometheus: httpx.Client, path: str) -> Any:
    """What its API answers; nothing while it starts."""
    try:
        answer = prometheus.get(f"/api/v1/{path}")
    except httpx.TransportError:
        return None
    return answer.json()["data"] if answer.status_code == 200 else None


def test_prometheus_finds_each_app_container_and_shows_what_they_do(stack: Stack, prometheus: httpx.Client) -> None:
    def up() -> int:
        targets = (asked(prometheus, "targets?state=active") or {}).get("activeTargets", [])
        return sum(target["health"] == "up" for target in targets)

    until(lambda: up() == len(stack.containers("app")), seconds=60)
    with stack.client("grace") as grace:
        sent = grace.post("/v1/messages", json={"to": "grace", "text": "seen by Prometheus"})
        assert sent.status_code == 201

    def sends() -> float:
        query = 'sum(ssechat_http_requests_total{route="/v1/messages",status="201"})'
        result = (asked(prometheus, f"query?query={query}") or {}).get("result", [])
        return float(result[0]["value"][1]) if result else 0

    until(lambda: sends() >= 1, seconds=30)
    dashboard = prometheus.get("/consoles/ssechat.html")
    assert dashboard.status_code == 200
    assert "ssechat" in dashboard.text
