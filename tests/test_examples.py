"""The pages of examples, the banner, and the command that fills feeds with made-up data."""

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from app_client import client_of, code, sign_up
from commands import main
from redises import RedisProcess
from ssechat.cli.line import Line
from ssechat.cli.made_up import ENVIRONMENTS, MOST_SYMBOLS, SERVICES, Board, Change, Market, symbols
from ssechat.errors import SettingsError
from ssechat.settings import load_settings

ADMIN_TOKEN = "an-admin-token-for-tests"
ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
FILES = ("/examples", "/examples/prices", "/examples/deployments", "/web/examples/prices.js")


def token_in(folder: Path) -> Path:
    path = folder / "admin.token"
    path.write_text(ADMIN_TOKEN)
    return path


@pytest.mark.anyio
async def test_examples_are_pages_of_this_server_alone_and_can_be_switched_off(
    redis: RedisProcess, tmp_path: Path
) -> None:
    async with client_of(redis.url, tmp_path) as client:
        for path in FILES:
            answer = await client.get(path)
            assert answer.status_code == 200, path
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'self'")
            assert "unsafe" not in policy
            assert "https://" not in answer.text.replace("https://example.com/status", "")
        assert code(await client.get("/examples/nothing")) == (404, "not_found")
    async with client_of(redis.url, tmp_path, examples="off") as client:
        for path in FILES:
            assert code(await client.get(path)) == (404, "not_found"), path
        assert "/examples" not in (await client.get("/openapi.json")).json()["paths"]


@pytest.mark.anyio
async def test_pages_of_any_origin_load_what_reads_feeds_and_nothing_else(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path) as client:
        allowed = {
            path: (await client.get(path)).headers.get("access-control-allow-origin")
            for path in ("/web/feeds.min.js", "/web/feeds.js", "/web/app.min.js", "/")
        }
        assert allowed == {"/web/feeds.min.js": "*", "/web/feeds.js": None, "/web/app.min.js": None, "/": None}


@pytest.mark.anyio
async def test_the_server_names_its_banner_and_only_the_admin_makes_that_feed(
    redis: RedisProcess, tmp_path: Path
) -> None:
    async with client_of(redis.url, tmp_path) as client:
        assert "banner" not in (await client.get("/v1/server")).json()
    terms = {"read": "public"}
    options = {"banner": "news", "feeds": "anybody", "admin_token_file": token_in(tmp_path)}
    async with client_of(redis.url, tmp_path, **options) as client:
        assert (await client.get("/v1/server")).json()["banner"] == "news"
        mallory = await sign_up(client, "mallory")
        refused = await client.put("/v1/feeds/news", json=terms, headers=mallory)
        assert code(refused) == (403, "feeds_closed")
        assert "only the admin" in refused.json()["detail"]
        assert (await client.put("/v1/feeds/others", json=terms, headers=mallory)).status_code == 201
        assert (await client.put("/v1/feeds/news", json=terms, headers=ADMIN)).status_code == 201
        assert code(await client.put("/v1/feeds/news", json=terms, headers=mallory)) == (403, "not_your_feed")


def test_a_banner_is_the_name_of_a_feed() -> None:
    assert load_settings({"banner": "news.2"}, {}).banner == "news.2"
    for wrong in ("News", ".x", "a b", "a" * 65, "a/b"):
        with pytest.raises(SettingsError, match=r"--banner: .*a-z 0-9"):
            load_settings({"banner": wrong}, {})


def test_made_up_symbols_are_as_many_as_are_wanted_and_always_the_same() -> None:
    assert len({*symbols(MOST_SYMBOLS)}) == MOST_SYMBOLS
    assert symbols(500) == symbols(500)
    assert not any({*"AEIOUY"} & {*symbol} for symbol in symbols(500))


def test_made_up_prices_wander_and_stay_prices() -> None:
    market = Market(symbols(20), random.Random(1))
    begun = {change.key: change.data["price"] for change in market.all()}
    assert len(begun) == 20
    changes = [market.next() for _ in range(5000)]
    assert {change.key for change in changes} == {*begun}
    assert all(change.data["price"] >= 0.01 for change in changes)
    for key, data in (change for change in changes[-20:]):
        assert data["change"] == pytest.approx(100 * (data["price"] / begun[key] - 1), abs=0.1)


def test_made_up_deployments_begin_and_end_well_or_badly() -> None:
    board = Board(random.Random(1))
    state = {key: data["state"] for key, data in board.all()}
    assert len(state) == len(SERVICES) * len(ENVIRONMENTS)
    seen: set[tuple[str, str]] = set()
    for _ in range(2000):
        key, data = board.next()
        seen.add((state[key], data["state"]))
        state[key] = data["state"]
    begun = {(before, "deploying") for before in ("running", "failed", "stopped")}
    assert seen == {*begun, ("deploying", "running"), ("deploying", "failed"), ("running", "stopped")}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "ssechat: nobody: give --admin-token-file"),
        (("--token", "t", "--prices", "x", "--deployments", "x"), "ssechat: --prices and --deployments are two feeds"),
        (("--token", "t", "--rate", "0"), "ssechat: Invalid value for '--rate'"),
        (("--token", "t", "--rate", "nan"), "ssechat: Invalid value for '--rate'"),
        (("--token", "t", "--symbols", "1001"), "ssechat: Invalid value for '--symbols'"),
        (("--token", "t", "--prices", ""), "ssechat: Invalid value for '--prices'"),
    ],
)
def test_a_wrong_demo_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    for name in ("SSECHAT_TOKEN", "SSECHAT_SERVER", "SSECHAT_ADMIN_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    code, out, err = main(capsys, "feed", "demo", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


class Answers(BaseHTTPRequestHandler):
    """A server that answers with what the test wants, and notes what it is told."""

    protocol_version = "HTTP/1.1"
    statuses: ClassVar[list[int]] = []
    told: ClassVar[list[tuple[str, str, str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.told.append((self.path, self.headers["authorization"], body))
        self.send_response(self.statuses.pop(0))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_what_a_kept_connection_cannot_publish_is_left_to_the_client() -> None:
    tokens = iter(["first", "second"])
    change = Change("a/b", {"price": 1})
    Answers.statuses, Answers.told = [201, 201, 401, 201], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        line = Line(f"http://127.0.0.1:{server.server_port}/chat/", lambda: next(tokens)).to("a b")
        assert [line.publish(change) for _ in range(4)] == [True, True, False, True]
        line.close()
        line.close()
        server.shutdown()
    assert [token for _, token, _ in Answers.told] == ["Bearer first"] * 3 + ["Bearer second"]
    target, _, body = Answers.told[0]
    assert target == "/chat/v1/feeds/a%20b/events"
    assert json.loads(body) == {"data": {"price": 1}, "event": "made-up", "key": "a/b"}


def test_a_server_that_is_away_or_behind_a_proxy_is_left_to_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    change = Change("a", {"price": 1})
    for server in ("http://127.0.0.1:9", "https://127.0.0.1:9"):
        assert not Line(server, lambda: "token").to("x").publish(change)
    assert not Line("http://127.0.0.1:9", None).to("x").publish(change)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert not Line("http://chat.example", lambda: pytest.fail("no connection is opened")).to("x").publish(change)
