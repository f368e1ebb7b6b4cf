"""The HTTP API in one process; `tests/e2e` tests it over sockets and workers."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app_client import client_of, code, ready_is, sign_up
from parts import SECRET, parse_frames, settings
from redises import RedisProcess
from ssechat.app import create_app
from ssechat.errors import SettingsError
from ssechat.identity.tokens import COOKIE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(redis.url, tmp_path) as client:
        yield client


async def test_unknown_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    assert code(await client.get("/v1/nothing")) == (404, "not_found")
    wrong = await client.put("/v1/messages")
    assert code(wrong) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


async def test_health_tells_whether_redis_is_there(client: httpx.AsyncClient, redis: RedisProcess) -> None:
    assert (await client.get("/healthz/live")).json() == {"status": "live"}
    await ready_is(client, 200)
    redis.kill()
    try:
        await ready_is(client, 503)
        assert (await client.get("/healthz/ready")).json()["status"] == "degraded"
        assert (await client.get("/healthz/live")).status_code == 200
        away = await client.post("/v1/session", json={"name": "a", "password": "b"})
        assert code(away) == (503, "unavailable")
        assert away.headers["retry-after"] == "1"
    finally:
        redis.start()


async def test_with_redis_away_a_stream_ends_with_bye_instead_of_a_status(
    client: httpx.AsyncClient, redis: RedisProcess
) -> None:
    alice = await sign_up(client, "alice")
    client.headers.update(alice)
    redis.kill()
    try:
        await ready_is(client, 503)
        response = await client.get("/v1/events?ticket=any")
        assert response.status_code == 200
        opening, bye = parse_frames(response.content)
        assert opening["event"] == "retry"
        assert (bye["event"], bye["data"]) == ("bye", '{"reason":"unavailable"}')
        assert 1000 <= int(bye["retry"]) <= 8000
    finally:
        redis.start()


async def test_signing_in_sets_a_cookie_that_scripts_cannot_read(client: httpx.AsyncClient) -> None:
    await sign_up(client, "Alice")
    response = await client.post("/v1/session", json={"name": "alice", "password": "correct horse"})
    assert response.json()["user"] == "alice"
    cookie = response.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}_")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert (await client.get("/v1/session")).json() == {"user": "alice"}
    assert (await client.delete("/v1/session")).status_code == 204
    assert code(await client.get("/v1/session")) == (401, "unauthorized")


async def test_over_https_the_cookie_is_secure(client: httpx.AsyncClient) -> None:
    client.base_url = httpx.URL("https://chat")
    response = await client.post("/v1/users", json={"name": "alice", "password": "correct horse"})
    assert "Secure" in response.headers["set-cookie"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": "no name", "password": "correct horse"}, ["name"]),
        ({"name": "alice", "password": "short"}, ["password"]),
        ({"name": "alice"}, ["password"]),
        ({"name": 1, "password": 2, "more": 3}, ["name", "password", "more"]),
        ([], [""]),
    ],
)
async def test_a_sign_up_that_cannot_be_names_the_fields(
    client: httpx.AsyncClient, body: object, fields: list[str]
) -> None:
    response = await client.post("/v1/users", json=body)
    assert code(response) == (422, "invalid_request")
    assert [field["field"] for field in response.json()["fields"]] == fields


async def test_a_secret_is_never_repeated_in_an_error(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/users", json={"name": "no name", "password": "hunter2"})
    assert "hunter2" not in response.text


async def test_a_message_is_sent_and_read(client: httpx.AsyncClient) -> None:
    alice, bob = await sign_up(client, "alice"), await sign_up(client, "bob")
    sent = await client.post("/v1/messages", json={"to": "bob", "text": "hi"}, headers=alice)
    assert sent.status_code == 201
    message = sent.json()
    assert message["conversation_id"] == "dm:alice:bob"
    key = {"idempotency-key": message["client_msg_id"]}
    again = await client.post(
        "/v1/messages", json={"conversation_id": "dm:alice:bob", "text": "hi"}, headers={**alice, **key}
    )
    assert (again.status_code, again.json()) == (200, message)
    differs = await client.post("/v1/messages", json={"to": "bob", "text": "ho"}, headers={**alice, **key})
    assert code(differs) == (422, "idempotency_conflict")
    history = await client.get("/v1/conversations/dm:alice:bob/messages", headers=bob)
    assert history.json() == {"messages": [message], "has_more": False}
    listed = (await client.get("/v1/conversations", headers=bob)).json()
    assert listed["next"] is None
    [conversation] = listed["conversations"]
    assert conversation == {
        "id": "dm:alice:bob",
        "type": "dm",
        "members": ["alice", "bob"],
        "newest_seq": 1,
        **{"read_up_to": 0, "unread": 1, "mentions": [], "muted": False},
        "last_message": message,
    }
    assert (await client.get("/v1/users/bob", headers=alice)).json() == {"id": "bob", "online": False}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"to": "bob", "text": ""}, (422, "invalid_request")),
        ({"to": "bob"}, (422, "invalid_request")),
        ({"text": "x"}, (422, "invalid_request")),
        ({"to": "bob", "conversation_id": "dm:alice:bob", "text": "x"}, (422, "invalid_request")),
        ({"to": "bob", "text": "x", "client_msg_id": ""}, (422, "invalid_request")),
        ({"to": "bob", "text": "x", "client_msg_id": "a\nb"}, (422, "invalid_request")),
        ({"to": "bob", "text": "x", "client_msg_id": "a\n"}, (422, "invalid_request")),
        ({"to": "nobody", "text": "x"}, (404, "unknown_user")),
        ({"to": "no one", "text": "x"}, (404, "unknown_user")),
        ({"conversation_id": "dm:bob:alice", "text": "x"}, (404, "unknown_conversation")),
        ({"conversation_id": "dm:bob:carol", "text": "x"}, (403, "not_a_member")),
        ({"to": "bob", "text": "x" * 70_000}, (413, "too_large")),
    ],
)
async def test_a_message_that_cannot_be_is_refused_by_name(
    client: httpx.AsyncClient, body: object, expected: tuple[int, str]
) -> None:
    alice = await sign_up(client, "alice")
    await sign_up(client, "bob")
    assert code(await client.post("/v1/messages", json=body, headers=alice)) == expected


async def test_a_chunked_body_is_stopped_at_the_body_limit(client: httpx.AsyncClient) -> None:
    alice = await sign_up(client, "alice")

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    headers = {**alice, "content-type": "application/json"}
    assert code(await client.post("/v1/messages", content=parts(), headers=headers)) == (413, "too_large")


async def test_an_idempotency_key_header_must_be_printable_and_agree_with_the_body(client: httpx.AsyncClient) -> None:
    alice = await sign_up(client, "alice")
    await sign_up(client, "bob")
    body = {"to": "bob", "text": "x", "client_msg_id": "one"}
    for key in ("two", "x" * 129):
        response = await client.post("/v1/messages", json=body, headers={**alice, "idempotency-key": key})
        assert code(response) == (422, "invalid_request")


async def test_a_conflict_and_a_send_that_is_not_well_formed_are_counted_as_what_they_are(
    client: httpx.AsyncClient,
) -> None:
    alice = await sign_up(client, "alice")
    for text in ("hi", "ho"):
        answer = await client.post(
            "/v1/messages", json={"to": "alice", "text": text, "client_msg_id": "1"}, headers=alice
        )
    assert code(answer) == (422, "idempotency_conflict")
    assert code(await client.post("/v1/messages", json={"to": "alice"}, headers=alice)) == (422, "invalid_request")
    shown = (await client.get("/metrics")).text
    for outcome in ("created", "conflict", "refused"):
        assert f'ssechat_sends_total{{outcome="{outcome}"}} 1.0' in shown


async def test_history_takes_a_direction_and_a_limit(client: httpx.AsyncClient) -> None:
    alice = await sign_up(client, "alice")
    path = "/v1/conversations/dm:alice:alice/messages"
    for i in range(3):
        await client.post("/v1/messages", json={"to": "alice", "text": f"{i}"}, headers=alice)
    page = (await client.get(f"{path}?after=1&limit=1", headers=alice)).json()
    assert ([message["seq"] for message in page["messages"]], page["has_more"]) == ([2], True)
    for query in ("before=1&after=1", "limit=0", "limit=201", "before=x", "before=0", "more=1", "after=9" + "9" * 20):
        assert code(await client.get(f"{path}?{query}", headers=alice)) == (422, "invalid_request")


async def test_the_list_of_conversations_is_paged_by_its_cursor(client: httpx.AsyncClient) -> None:
    alice = await sign_up(client, "alice")
    for name in ("u1", "u2", "u3"):
        await sign_up(client, name)
        await client.post("/v1/messages", json={"to": name, "text": "x"}, headers=alice)
    first = (await client.get("/v1/conversations?limit=2", headers=alice)).json()
    second = (await client.get(f"/v1/conversations?limit=2&before={first['next']}", headers=alice)).json()
    ids = [one["id"] for one in (*first["conversations"], *second["conversations"])]
    assert ids == ["dm:alice:u3", "dm:alice:u2", "dm:alice:u1"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"origin": "http://chat"}, 201),
        ({"origin": "https://other.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://chat.evil"}, 403),
        ({"sec-fetch-site": "same-origin"}, 201),
        ({"sec-fetch-site": "none"}, 201),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 201),
    ],
)
async def test_a_write_from_another_origin_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    response = await client.post("/v1/users", json={"name": "alice", "password": "correct horse"}, headers=headers)
    assert response.status_code == status


async def test_an_allowed_origin_may_write_and_read_the_answer(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, allowed_origins=("https://app.example",)) as client:
        headers = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
        response = await client.post("/v1/users", json={"name": "alice", "password": "correct horse"}, headers=headers)
        assert response.status_code == 201
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        preflight = {**headers, "access-control-request-method": "POST"}
        assert (await client.options("/v1/messages", headers=preflight)).status_code == 200


async def test_sign_up_can_be_closed(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, signup="closed") as client:
        body = {"name": "alice", "password": "correct horse"}
        assert code(await client.post("/v1/users", json=body)) == (403, "sign_up_closed")
        server = (await client.get("/v1/server")).json()
        assert (server["sign_up"], server["sign_in"]) == (False, True)


async def test_with_an_existing_systems_tokens_there_is_no_sign_in(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, jwt_secret=SECRET) as client:
        body = {"name": "alice", "password": "correct horse"}
        assert code(await client.post("/v1/users", json=body)) == (403, "sign_up_closed")
        assert code(await client.post("/v1/session", json=body)) == (403, "sign_in_closed")
        assert (await client.get("/v1/server")).json()["sign_in"] is False


async def test_a_ticket_needs_a_credential_and_opens_no_head_request(client: httpx.AsyncClient) -> None:
    alice = await sign_up(client, "alice")
    assert code(await client.post("/v1/tickets", json={})) == (401, "unauthorized")
    issued = await client.post("/v1/tickets", json={}, headers=alice)
    assert issued.json()["expires_in"] == 30
    assert code(await client.get("/v1/events?ticket=x")) == (401, "invalid_ticket")
    assert (await client.head(f"/v1/events?ticket={issued.json()['ticket']}")).status_code == 401
    head = await client.head("/v1/events", headers=alice)
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_a_bug_is_a_500_problem_without_the_exceptions_text(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr("ssechat.identity.auth.Auth.identify", broken)
    response = await client.get("/v1/session", headers={"authorization": "Bearer x"})
    assert code(response) == (500, "internal_error")
    assert "inside" not in response.text


def test_an_app_needs_a_redis() -> None:
    with pytest.raises(SettingsError, match="redis_url"):
        create_app(settings(None))


HTTPS = {"x-forwarded-proto": "https"}


async def test_behind_a_proxy_with_https_the_cookie_is_secure(client: httpx.AsyncClient) -> None:
    for headers, secure in ((HTTPS, True), ({}, False)):
        body = {"name": f"alice{secure}", "password": "correct horse"}
        answer = await client.post("/v1/users", json=body, headers=headers)
        assert ("secure" in answer.headers["set-cookie"].lower()) is secure


async def test_x_forwarded_proto_of_an_untrusted_peer_is_ignored(redis: RedisProcess, tmp_path: Path) -> None:
    async with client_of(redis.url, tmp_path, trusted_proxies=("10.0.0.1",)) as client:
        body = {"name": "alice", "password": "correct horse"}
        answer = await client.post("/v1/users", json=body, headers=HTTPS)
        assert "secure" not in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("origin", "headers", "allowed"),
    [
        ("https://chat", HTTPS, True),
        ("http://chat", HTTPS, False),
        ("http://chat", {}, True),
        # A proxy that does not send X-Forwarded-Proto.
        ("https://chat", {}, True),
    ],
)
async def test_under_https_a_page_that_came_over_http_may_not_write(
    client: httpx.AsyncClient, origin: str, headers: dict[str, str], allowed: bool
) -> None:
    alice = await sign_up(client, "alice")
    answer = await client.post("/v1/tickets", json={}, headers={**alice, **headers, "origin": origin})
    assert answer.status_code == (201 if allowed else 403)


async def test_a_wrong_password_is_logged_with_where_it_came_from_and_nothing_else(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await sign_up(client, "alice")
    body = {"name": "alice", "password": "wrong horse"}
    answer = await client.post("/v1/session", json=body, headers={"x-forwarded-for": "192.0.2.9, 198.51.100.7"})
    assert code(answer) == (401, "wrong_credentials")
    assert [record.getMessage() for record in caplog.records] == ["wrong name or password from 198.51.100.7"]


async def test_a_404_problem_points_to_the_docs(client: httpx.AsyncClient) -> None:
    lost = await client.get("/v1/nothing")
    assert code(lost) == (404, "not_found")
    assert lost.json()["detail"] == "This path does not exist; GET /docs lists all paths."
    wrong = await client.put("/v1/server")
    assert code(wrong) == (405, "method_not_allowed")
    assert "Allow header" in wrong.json()["detail"]
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD"}
