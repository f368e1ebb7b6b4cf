"""The guarantees of the compose stack in normal operation."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import until

from .readme import blocks, paste
from .stack import COMPOSE_FILE, Stack, run


def front_log(stack: Stack) -> list[dict[str, Any]]:
    """The front's log, one object a line."""
    [front] = stack.containers("front")
    return [json.loads(line) for line in stack.logs(front).splitlines() if line.startswith("{")]


def test_the_fronts_authority_is_all_that_a_client_needs_to_trust(stack: Stack, tmp_path: Path) -> None:
    _, trust, _ = blocks()
    said = paste(stack, trust.replace("ca.crt", str(tmp_path / "ca.crt")).replace("curl", "curl -sS"))
    assert '"name":"ssechat"' in said


def test_a_conversation_over_https_and_http_2(stack: Stack, tmp_path: Path) -> None:
    with stack.client("alice") as alice, stack.client("bob") as bob:
        for person in alice, bob:
            assert person.get("/v1/session").status_code == 200
        (tmp_path / "ca.crt").write_text(stack.ca)
        trust = ("--http2", "--cacert", str(tmp_path / "ca.crt"))
        who = ("-H", f"Authorization: Bearer {stack.token('bob')}")
        with subprocess.Popen(
            ["curl", "-sSNv", "--max-time", "60", *trust, *who, f"{stack.url}/v1/events"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as listening:
            assert listening.stdout is not None
            try:
                lines = iter(listening.stdout)
                assert any("HTTP/2 200" in line for line in lines)
                assert any(line.startswith("event: hello") for line in lines)
                sent = alice.post("/v1/messages", json={"to": "bob", "text": "over the front"})
                assert sent.status_code == 201
                assert any("over the front" in line for line in lines)
            finally:
                listening.kill()


def test_all_readers_may_come_back_to_an_app_container_at_once(stack: Stack) -> None:
    for container in stack.containers("app"):
        assert stack.execute_in(container, "cat", "/proc/sys/net/core/somaxconn").strip() == "65535"


def test_plain_http_is_sent_to_https(stack: Stack) -> None:
    answer = httpx.get(f"http://localhost:{stack.environment['CHAT_HTTP_PORT']}/", trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "https://localhost/")


def test_nothing_is_reachable_but_the_front_and_that_on_the_address_that_was_named(stack: Stack) -> None:
    ports: dict[str, set[str]] = {}
    for container in stack.containers():
        found: Any = stack.inspect(container)
        settings = found["NetworkSettings"]
        service = found["Config"]["Labels"]["com.docker.compose.service"]
        bound = {each["HostIp"] for there in (settings["Ports"] or {}).values() for each in there or ()}
        ports.setdefault(service, set()).update(bound)
    assert ports == {"front": {"127.0.0.1"}, "app": set(), "redis": set()}
    with stack.client() as visitor:
        for path in ("/metrics", "/metrics%0a", "//metrics", "/%6detrics/"):
            assert visitor.get(f"{stack.url}{path}").status_code == 404


def test_all_app_containers_take_a_token_of_one_key(stack: Stack) -> None:
    question = (
        "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000); "
        "c.request('GET', '/v1/session', headers={'Authorization': 'Bearer ' + sys.argv[1]}); "
        "print(c.getresponse().status)"
    )
    containers = stack.containers("app")
    assert len(containers) == 2
    for container in containers:
        said = stack.execute_in(container, "python", "-c", question, stack.token("carol"))
        assert said.strip() == "200"
    made = stack.execute("app", "ssechat", "token", "carol").strip()
    with stack.client() as carol:
        assert carol.get("/v1/session", headers={"Authorization": f"Bearer {made}"}).json()["user"] == "carol"


def test_a_cookie_is_for_https_only_and_nobody_but_the_front_can_say_so(stack: Stack) -> None:
    with stack.client() as dave:
        answer = dave.post("/v1/users", json={"name": "dave", "password": "correct horse"})
        assert answer.status_code == 201
        assert "secure" in answer.headers["set-cookie"].lower()
    question = (
        "import http.client, sys; c = http.client.HTTPConnection(sys.argv[1], 8000); "
        'c.request(\'POST\', \'/v1/session\', b\'{"name":"dave","password":"correct horse"}\', '
        "{'Content-Type': 'application/json', 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '192.0.2.1'}); "
        "print(c.getresponse().headers['set-cookie'])"
    )
    one, other = stack.containers("app")
    networks: Any = stack.inspect(other)["NetworkSettings"]
    address = networks["Networks"][f"{stack.project}_front"]["IPAddress"]
    said = stack.execute_in(one, "python", "-c", question, address)
    assert "HttpOnly" in said
    assert "secure" not in said.lower()


def test_the_fronts_log_has_no_query_and_no_credential(stack: Stack) -> None:
    with stack.client("erin") as erin:
        ticket = erin.post("/v1/tickets", json={}).json()["ticket"]
        with stack.client() as browser, browser.stream("GET", f"/v1/events?ticket={ticket}") as stream:
            assert stream.status_code == 200
            assert next(stream.iter_lines()).startswith("event: retry")
        erin.get("/v1/conversations?limit=7", headers={"Referer": f"{stack.url}/?ticket={ticket}", "Cookie": "a=b-c-d"})
    seen = {"/v1/tickets", "/v1/events", "/v1/conversations"}
    until(lambda: seen <= {line.get("request", {}).get("uri") for line in front_log(stack)})
    text = json.dumps(front_log(stack))
    assert ticket not in text
    assert stack.token("erin") not in text
    assert "limit=7" not in text
    assert "b-c-d" not in text
    assert not re.search(r'"uri": "[^"]*\?', text)


def test_a_reader_who_leaves_is_gone_from_the_app_at_once(stack: Stack) -> None:
    with stack.client("frank") as frank:
        request = frank.build_request("GET", "/v1/events")
        streams = [frank.send(request, stream=True) for _ in range(10)]
        assert {stream.status_code for stream in streams} == {200}
        there = sum(stack.connections())
        assert there >= 10
        for stream in streams:
            stream.close()
        # Nothing is written in the meantime, which would show it: the first ping would come after 15 seconds.
        until(lambda: sum(stack.connections()) <= there - 10, seconds=8)


def test_the_redis_keeps_what_it_acknowledged_and_throws_nothing_away(stack: Stack) -> None:
    said = stack.execute("redis", "redis-cli", "config", "get", "*").split("\n")
    config = dict(zip(said[::2], said[1::2], strict=False))
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "always")
    assert (config["maxmemory-policy"], int(config["maxmemory"])) == ("noeviction", 512 * 2**20)
    for container in stack.containers("app"):
        lines = [json.loads(line) for line in stack.logs(container).splitlines()]
        assert lines
        assert {line["level"].upper() for line in lines} <= {"INFO"}


@pytest.mark.parametrize("service", ["front", "app", "redis"])
def test_every_container_has_limits_and_a_file_system_that_is_read_only(stack: Stack, service: str) -> None:
    for container in stack.containers(service):
        found: Any = stack.inspect(container)
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["Memory"] > 0
        assert host["NanoCpus"] > 0
        assert host["RestartPolicy"]["Name"] == "unless-stopped"


def test_what_is_set_in_the_env_file_beside_the_compose_file_counts(tmp_path: Path) -> None:
    for name in ("compose.yaml", ".env.example"):
        (tmp_path / name.removesuffix(".example")).write_text((COMPOSE_FILE.parent / name).read_text())
    with (tmp_path / ".env").open("a") as settings:
        settings.write("CHAT_HTTPS_PORT=8443\nCHAT_PUBLISH_ON=0.0.0.0\nCHAT_APPS=3\n")
    said = run("podman-compose", "-f", str(tmp_path / "compose.yaml"), "config")
    assert "- 0.0.0.0:8443:443" in said
    assert "replicas: '3'" in said
