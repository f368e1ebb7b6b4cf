"""deploy/prometheus with a real Prometheus: it scrapes a server, evaluates the alerts and serves the dashboard."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from e2e.api import HOST, Person, serve
from e2e.browser.visitor import ARGUMENTS, CHROMIUM
from e2e.test_logging import free_port
from serving import ROOT, Server, until

FOLDER = ROOT / "deploy" / "prometheus"


def promtool(*arguments: str | Path, cwd: Path = FOLDER) -> str:
    done = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Prometheus:
    """A running Prometheus with the shipped configuration, except targets and intervals."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        self.url = f"http://{HOST}:{free_port()}"
        shutil.copytree(FOLDER, folder / "etc")
        config = (FOLDER / "prometheus.yml").read_text()
        discovery = re.compile(r"    dns_sd_configs:\n(      .*\n)+")
        assert len(discovery.findall(config)) == 1
        config = discovery.sub(f"    static_configs:\n      - targets: {json.dumps(targets)}\n", config)
        (folder / "etc" / "prometheus.yml").write_text(config.replace("_interval: 5s", "_interval: 1s"))
        self._log = (folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'etc' / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.console.templates={folder / 'etc' / 'consoles'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> "Prometheus":
        until(self._is_ready, 20)
        until(lambda: self.value("sum(ssechat_sends_total)") is not None, 20)
        until(lambda: self.alerts() == [])  # before the first scrape there is no answer
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == 200
        return False

    def ask(self, path: str, **parameters: str) -> Any:
        content = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, trust_env=False).json()
        assert content["status"] == "success", content
        return content["data"]

    def value(self, expression: str) -> float | None:
        """The current value of an expression; None if it has none."""
        result = self.ask("query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def alerts(self) -> list[str]:
        """The names of the firing and pending alerts."""
        return [alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path, "--drain-seconds", "0") as running:
        yield running


@pytest.fixture
def prometheus(tmp_path: Path, server: Server) -> Iterator[Prometheus]:
    with Prometheus(tmp_path / "prometheus", [f"{HOST}:{server.port}"]) as running:
        yield running


def test_the_configuration_and_the_rules_are_what_prometheus_wants() -> None:
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_each_alert_fires_when_it_should_and_is_silent_when_it_should_be(tmp_path: Path) -> None:
    tests = ROOT / "tests" / "e2e" / "alerts_test.yml"
    shutil.copy(tests, tmp_path)
    shutil.copy(FOLDER / "alerts.yml", tmp_path)
    promtool("test", "rules", "alerts_test.yml", cwd=tmp_path)
    for alert in re.findall(r"alert: (\w+)", (FOLDER / "alerts.yml").read_text()):
        assert re.search(rf"alertname(: |=\"){alert}\b", tests.read_text()), f"{alert} is not tested"


def chat(server: Server, count: int) -> None:
    """Opens streams on both workers, and sends messages."""
    with contextlib.ExitStack() as stack:
        alice, bob = (stack.enter_context(Person(server, name)) for name in ("alice", "bob"))
        assert bob.http.get("/v1/session").status_code == 200
        streams = [stack.enter_context(bob.listen_on(worker)) for worker in server.workers()]
        for stream in streams:
            stream.first("hello")
        for number in range(count):
            alice.say(f"m{number}", "bob")
        for stream in streams:
            stream.messages(count)


def test_prometheus_sees_what_two_workers_do_and_that_redis_is_gone(server: Server, prometheus: Prometheus) -> None:
    chat(server, 20)
    until(lambda: prometheus.value("sum(ssechat_sends_total{outcome='created'})") == 20)
    until(lambda: prometheus.value("sum(ssechat_events_written_total)") == 40)
    assert prometheus.value("up{job='ssechat'}") == 1
    assert prometheus.value("ssechat_workers") == 2
    p99 = "histogram_quantile(0.99, sum by (le) (ssechat_delivery_latency_seconds_bucket))"
    assert 0 < (prometheus.value(p99) or 0) < 2
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert prometheus.alerts() == []
    server.redis().suspend()
    try:
        with Person(server, "alice") as alice:
            assert alice.post("hi", "bob").status_code == 503
        until(
            lambda: any(
                each["labels"]["alertname"] == "SsechatSendsFail" for each in prometheus.ask("alerts")["alerts"]
            ),
            20,
        )
    finally:
        server.redis().resume()


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser tab; any error in its console is a failure."""
    assert CHROMIUM is not None, "there is no chromium on the PATH; `bash tests/run` installs it"
    problems: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        chromium.close()
    assert problems == []


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_dashboard_shows_numbers_and_lines_in_a_browser_light_and_dark(
    server: Server, prometheus: Prometheus, page: Page, tmp_path: Path
) -> None:
    for _ in range(3):
        chat(server, 15)
    with Person(server, "bob") as bob, bob.listen() as stream:
        stream.first("hello")
        until(lambda: prometheus.value("sum(ssechat_streams_open)") == 1)
        until(lambda: (prometheus.value("sum(rate(ssechat_sends_total[1m]))") or 0) > 0)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.emulate_media(color_scheme="light")
        page.goto(f"{prometheus.url}/consoles/ssechat.html")
        expect(page.locator("#state")).to_contain_text("as of", timeout=15_000)
        tile = page.locator(".tile")
        expect(tile.filter(has_text="streams open").locator("b")).to_have_text("1", timeout=15_000)
        expect(tile.filter(has_text="workers").locator("b")).to_have_text("2")
        expect(tile.filter(has_text="p99").locator("b")).to_contain_text("ms")
        # A line needs at least two scrapes.
        for name in ("Streams", "Sends", "From accepted to written", "Redis", "Requests", "CPU", "Memory"):
            chart = page.locator("#charts article").filter(has=page.get_by_role("heading", name=name, exact=True))
            expect(chart.locator("svg path").first).to_have_attribute("d", re.compile(r"L\d"), timeout=20_000)
            expect(chart.locator("li b").first).not_to_have_text("–", timeout=15_000)
        light = background(page)
        page.screenshot(path=tmp_path / "light.png", full_page=True)
        page.emulate_media(color_scheme="dark")
        assert background(page) != light
        page.screenshot(path=tmp_path / "dark.png", full_page=True)
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("link", name="1 h").click()
        expect(page.locator("#state")).to_contain_text("as of", timeout=15_000)
        expect(page.get_by_role("link", name="1 h")).to_have_attribute("aria-current", "true")
        assert asked
        assert [url for url in asked if not url.startswith((prometheus.url, "data:"))] == []
