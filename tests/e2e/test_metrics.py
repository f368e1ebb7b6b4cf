"""/metrics of a server with two workers: a scrape of either has the sum of both."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e.api import Person, serve
from serving import Server, until

Numbers = dict[str, float]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path, "--drain-seconds", "0") as running:
        yield running


def numbers(text: str) -> Numbers:
    """Every sample by its name and labels, as the exposition has them."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        f"{one.name}{{{','.join(f'{name}={value}' for name, value in sorted(one.labels.items()))}}}": one.value
        for one in samples
    }


def scrape(person: Person, worker: psutil.Process) -> Numbers:
    """Scrapes the metrics from this worker."""
    answer = person.on(worker).http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    return numbers(answer.text)


def wait_for_streams(person: Person, workers: Sequence[psutil.Process], count: int) -> None:
    """Waits for the number of open streams: one that was tried on the wrong worker ends when a write to it fails."""
    clocks = [f"ssechat_worker_cpu_seconds_total{{pid={worker.pid}}}" for worker in workers]
    before = scrape(person, workers[0])

    def are_open() -> bool:
        shown = scrape(person, workers[0])
        return shown["ssechat_streams_open{}"] == count and all(shown[clock] > before[clock] for clock in clocks)

    until(are_open)


def counters(shown: Numbers) -> Numbers:
    """The metrics that must never decrease; those of a single worker end with it."""
    kinds = ("_total{", "_bucket{", "_count{", "_sum{")
    return {key: value for key, value in shown.items() if any(kind in key for kind in kinds) and "pid=" not in key}


def test_a_scrape_of_either_worker_shows_what_both_have_done(server: Server) -> None:
    one, other = server.workers()
    with contextlib.ExitStack() as stack:
        alice, bob = (stack.enter_context(Person(server, name)) for name in ("alice", "bob"))
        assert bob.http.get("/v1/session").status_code == 200
        streams = [stack.enter_context(bob.listen_on(worker)) for worker in (one, other)]
        for stream in streams:
            stream.first("hello")
        with Person(server, "carol") as carol:
            wait_for_streams(carol, (one, other), 2)
        for worker, count in ((one, 3), (other, 2)):
            alice.on(worker)
            for number in range(count):
                alice.say(f"{worker.pid} {number}", "bob", f"{worker.pid} {number}")
        assert alice.post(f"{one.pid} 0", "bob", f"{one.pid} 0").status_code == 200
        assert alice.post("another", "bob", f"{one.pid} 0").status_code == 422
        assert alice.post("hi", "nobody").status_code == 404
        for stream in streams:
            stream.messages(5)
        expected = {
            "ssechat_workers{}": 2,
            "ssechat_streams_open{}": 2,
            "ssechat_sends_total{outcome=created}": 5,
            "ssechat_sends_total{outcome=repeated}": 1,
            "ssechat_sends_total{outcome=conflict}": 1,
            "ssechat_sends_total{outcome=refused}": 1,
            "ssechat_sends_total{outcome=unavailable}": 0,
            "ssechat_http_requests_total{method=POST,route=/v1/messages,status=201}": 5,
            "ssechat_http_requests_total{method=POST,route=/v1/messages,status=404}": 1,
            "ssechat_events_written_total{kind=message,source=live}": 10,
            "ssechat_events_written_total{kind=reset,source=live}": 0,
            "ssechat_wake_ups_total{}": 10,
            "ssechat_delivery_latency_seconds_count{source=live}": 10,
            "ssechat_delivery_latency_seconds_bucket{le=10.0,source=live}": 10,
            "ssechat_stream_resets_total{reason=lost}": 0,
            "ssechat_redis_connected_workers{connection=commands}": 2,
            "ssechat_redis_connected_workers{connection=subscriptions}": 2,
        }
        with Person(server, "carol") as carol:
            for worker in (one, other):

                def as_expected(worker: psutil.Process = worker) -> bool:
                    shown = scrape(carol, worker)
                    # Some streams were tried on the wrong worker first.
                    connects = shown["ssechat_stream_connects_total{}"]
                    return connects >= 2 and {key: shown.get(key) for key in expected} == expected

                until(as_expected, 5)
            shown = scrape(carol, one)
            for worker in (one, other):
                assert shown[f"ssechat_worker_streams{{pid={worker.pid}}}"] == 1
                assert shown[f"ssechat_worker_resident_memory_bytes{{pid={worker.pid}}}"] > 1e6
                assert shown[f"ssechat_worker_cpu_seconds_total{{pid={worker.pid}}}"] > 0
                assert shown[f"ssechat_worker_open_fds{{pid={worker.pid}}}"] > 5
            assert 0 < shown["ssechat_delivery_latency_seconds_sum{source=live}"] < 10


def test_when_a_worker_is_killed_no_counter_goes_down_and_the_next_ones_add_up(server: Server) -> None:
    one, other = server.workers()
    with contextlib.ExitStack() as stack:
        alice, carol = (stack.enter_context(Person(server, name)) for name in ("alice", "carol"))
        alice.on(one)
        for number in range(7):
            alice.say(f"m{number}", "alice")
        created = "ssechat_sends_total{outcome=created}"

        def counted(on: psutil.Process, count: int) -> bool:
            return scrape(carol, on)[created] == count

        until(lambda: counted(other, 7))
        victim = one
        for deaths in range(1, 4):
            before = scrape(carol, other)
            victim.kill()
            victim.wait(10)
            after = scrape(carol, other)
            assert {key: (after[key], value) for key, value in counters(before).items() if after[key] < value} == {}
            until(lambda: len(server.workers()) == 2 and scrape(carol, other)["ssechat_workers{}"] == 2)
            [victim] = [worker for worker in server.workers() if worker.pid != other.pid]
            alice.on(victim).say(f"after {deaths}", "alice")
            for worker in (victim, other):
                until(partial(counted, worker, 7 + deaths))
            now = scrape(carol, other)
            assert {key: (now[key], value) for key, value in counters(after).items() if now[key] < value} == {}
        assert len(list((server.data / "metrics").iterdir())) == 2, "what the dead left was taken over"


def test_a_rolling_restart_takes_the_counts_along_and_a_new_server_begins_anew(server: Server) -> None:
    with Person(server, "alice") as alice:
        alice.say("hi", "alice")
        until(lambda: numbers(alice.http.get("/metrics").text)["ssechat_sends_total{outcome=created}"] == 1)
    before = {worker.pid for worker in server.workers()}
    server.process.send_signal(1)
    until(lambda: len(server.workers()) == 2 and not before & {worker.pid for worker in server.workers()}, 30)
    with Person(server, "alice") as alice:
        shown = numbers(alice.http.get("/metrics").text)
        assert (shown["ssechat_sends_total{outcome=created}"], shown["ssechat_workers{}"]) == (1, 2)
    server.stop()
    with (
        Server(server.data, "--workers", "1", "--drain-seconds", "0") as second,
        Person(second, "alice") as alice,
    ):
        assert numbers(alice.http.get("/metrics").text)["ssechat_sends_total{outcome=created}"] == 0


def test_promtool_has_nothing_to_say_about_the_names_and_helps(server: Server) -> None:
    text = httpx.get(f"{server.url}/metrics", trust_env=False).content
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=20, check=False)
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, b"", b"")
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    openmetrics = httpx.get(f"{server.url}/metrics", headers=accept, trust_env=False)
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert openmetrics.text.endswith("# EOF\n")


def test_no_label_has_a_path_a_query_a_token_or_a_name_and_metrics_can_be_off(tmp_path: Path) -> None:
    with (
        serve(tmp_path, "--drain-seconds", "0") as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        for target in ("/v1/users/planted", "/v1/planted?x=planted", "/web/planted.js", "/v1/events?ticket=planted"):
            client.get(target, headers={"authorization": "Bearer planted"})
        client.request("PLANTED", "/planted")
        labels = ('route="/v1/users/{id}"', 'method="GET",route="unmatched",status="404"')
        until(lambda: all(label in client.get("/metrics").text for label in labels))
        assert "planted" not in client.get("/metrics").text.lower()
        server.stop()
    with Server(tmp_path / "data", "--workers", "1", "--metrics", "off") as server:
        assert httpx.get(f"{server.url}/metrics", trust_env=False).status_code == 404
