"""Each operation refuses what its contract says: what follows from its credential, its body, its query and its path."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import httpx
import jwt
import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from app_client import client_of, client_to, code, sign_up
from contract.document import operations
from issuers import Issuer, IssuerKey
from parts import SECRET, settings
from redises import RedisProcess
from ssechat.app import create_app
from ssechat.http.contract import problems
from ssechat.http.contract.operation import Credential, Operation
from ssechat.http.contract.problems import Problem
from ssechat.http.exchange import SERVER_FULL, Request
from ssechat.http.routing import RouteTable

pytestmark = [pytest.mark.anyio, pytest.mark.newest_redis]

OPERATIONS = operations()
SIGNED = [each for each in OPERATIONS if each.credential is not Credential.NONE]
WRITES = [each for each in OPERATIONS if each.writes]
WITH_BODY = [each for each in OPERATIONS if each.body is not None]
WITH_QUERY = [each for each in OPERATIONS if each.query is not None]
WITH_PATH = [each for each in OPERATIONS if each.parameters]

Ask = Callable[..., Awaitable[httpx.Response]]


@asynccontextmanager
async def an_app(redis_url: str, folder: Path) -> AsyncIterator[Starlette]:
    (folder / "jwt.key").write_text(SECRET)
    app = create_app(settings(redis_url, data=folder, redis_timeout=0.5))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def app(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[Starlette]:
    async with an_app(redis.url, tmp_path) as app:
        yield app


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with client_to(app) as client:
        yield client


def mint(**claims: Any) -> dict[str, str]:
    """The header of a token."""
    given = {"sub": "alice", "exp": time.time() + 60, **claims}
    return {"authorization": f"Bearer {jwt.encode(given, SECRET, algorithm='HS256')}"}


def path_of(operation: Operation, last: str = "") -> str:
    """The path of an operation; `last` is the value of its last parameter, instead of its example."""
    values = {one.name: quote(one.example, safe="") for one in operation.parameters}
    if last:
        values[operation.parameters[-1].name] = last
    return operation.path.format(**values)


async def ask(
    client: httpx.AsyncClient,
    operation: Operation,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    *,
    last: str = "",
    query: str = "",
) -> httpx.Response:
    """Sends what the operation takes."""
    given: dict[str, Any] = {} if operation.body is None else {"json": dict(operation.example or {})}
    return await client.request(operation.method, path_of(operation, last) + query, headers=headers, **given)


async def test_who_has_no_valid_credential_is_refused(client: httpx.AsyncClient) -> None:
    ended = await sign_up(client, "alice")
    assert (await client.delete("/v1/session", headers=ended)).status_code == 204
    credentials = {
        problems.UNAUTHORIZED: {},
        problems.TOKEN_EXPIRED: mint(exp=time.time() - 600),
        problems.INVALID_TOKEN: {"authorization": "Bearer x.y.z"},
        problems.SIGNED_OUT: ended,
        problems.TOKEN_OF_UNKNOWN_USER: mint(sub="nobody", create=False),
    }
    assert set(credentials) == set(problems.OF_CREDENTIALS)
    for operation in SIGNED:
        for problem, headers in credentials.items():
            answer = await ask(client, operation, headers)
            assert code(answer) == (problem.status, problem.code), operation.id
    assert code(await client.get("/v1/events?ticket=x")) == _is(problems.INVALID_TICKET)


async def test_a_credential_or_an_origin_that_comes_twice_is_refused(client: httpx.AsyncClient) -> None:
    for operation in OPERATIONS:
        if problems.REPEATED_HEADER in operation.problems:
            [name] = ["authorization"] if operation in SIGNED else ["origin"]
            answer = await ask(client, operation, [(name, "a"), (name, "b")])
            assert code(answer) == _is(problems.REPEATED_HEADER), operation.id
        else:
            assert operation.credential is Credential.NONE
            assert not operation.writes


async def test_a_bug_is_500_and_says_nothing_about_itself(app: Starlette, client: httpx.AsyncClient) -> None:
    async def broken(_: Request) -> NoReturn:
        raise ZeroDivisionError("a secret")

    api = app.state.api
    api.table = RouteTable([route._replace(endpoint=broken) for route in api.table.routes])
    for operation in OPERATIONS:
        answer = await ask(client, operation)
        assert code(answer) == _is(problems.INTERNAL_ERROR), operation.id
        assert "secret" not in answer.text


async def test_a_full_server_refuses_all_but_streams(app: Starlette) -> None:
    async def full(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, SERVER_FULL: True}, receive, send)

    async with client_to(full) as client:
        for operation in OPERATIONS:
            answer = await ask(client, operation, mint())
            if operation.streams:
                assert (answer.status_code, _names(answer)) == (200, ["retry", "bye"])
            else:
                assert code(answer) == _is(problems.FULL), operation.id


async def test_who_has_too_many_requests_waiting_is_refused_by_all_that_counts_them(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    monkeypatch.setattr("ssechat.identity.leases.AT_ONCE", 0)
    monkeypatch.setattr("ssechat.identity.leases.MAX_WAITING", 0)
    for operation in SIGNED:
        if operation.streams:  # it would last for as long as the token
            continue
        answer = await ask(client, operation, mint())
        if operation.always:
            assert answer.status_code != 503, operation.id
        else:
            assert code(answer) == _is(problems.FULL), operation.id
            assert answer.headers["retry-after"] == "1"
    assert [record.name for record in caplog.records] == ["ssechat.identity.refusal_log"], "a line, however many"


async def test_without_redis_all_is_unavailable_that_needs_it(tmp_path: Path) -> None:
    async with an_app("redis://127.0.0.1:1", tmp_path) as app, client_to(app) as client:
        for operation in OPERATIONS:
            answer = await ask(client, operation, mint(sub=operation.id))
            if problems.UNAVAILABLE in operation.problems:
                assert code(answer) == _is(problems.UNAVAILABLE), operation.id
            elif operation.streams:
                assert (answer.status_code, _names(answer)) == (200, ["retry", "bye"])
            else:
                assert operation.credential is Credential.NONE
                assert answer.status_code == 200 or operation.id == "check_ready", operation.id


async def test_without_the_keys_of_the_issuer_all_is_unavailable_that_needs_a_user(
    redis: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssechat.http.responses.REFUSAL_DELAY", 0)
    key = IssuerKey("one")
    with Issuer(key) as issuer:
        issuer.stop()
        async with client_of(redis.url, tmp_path, jwks_url=issuer.url) as client:
            for operation in SIGNED:
                answer = await ask(client, operation, {"authorization": f"Bearer {key.sign()}"})
                if operation.streams:
                    assert (answer.status_code, _names(answer)) == (200, ["retry", "bye"])
                else:
                    assert code(answer) == _is(problems.ISSUER_UNAVAILABLE), operation.id


async def test_a_write_of_a_page_of_another_origin_is_refused(client: httpx.AsyncClient) -> None:
    for operation in WRITES:
        answer = await ask(client, operation, {**mint(), "origin": "https://evil.example"})
        assert code(answer) == _is(problems.FORBIDDEN_ORIGIN), operation.id


async def test_a_body_that_is_too_large_no_json_or_wrong_is_refused(client: httpx.AsyncClient) -> None:
    wrong: Sequence[tuple[Problem, str, bytes]] = (
        (problems.TOO_LARGE, "application/json", b'{"x":"' + b"x" * 70_000 + b'"}'),
        (problems.UNSUPPORTED_MEDIA_TYPE, "text/plain", b"{}"),
        (problems.INVALID_REQUEST, "application/json", b'{"no_such_field":1}'),
    )
    assert {problem for problem, *_ in wrong} == set(problems.OF_BODIES)
    for operation in WITH_BODY:
        for problem, media_type, body in wrong:
            headers = {**mint(), "content-type": media_type}
            answer = await client.request(operation.method, path_of(operation), headers=headers, content=body)
            assert code(answer) == _is(problem), operation.id


async def test_a_query_that_names_something_else_is_refused(client: httpx.AsyncClient) -> None:
    for operation in WITH_QUERY:
        answer = await ask(client, operation, mint(), query="?no_such_parameter=1")
        assert code(answer) == _is(problems.INVALID_REQUEST), operation.id


async def test_a_path_with_a_slash_in_a_name_or_of_thousands_of_characters_is_refused(
    client: httpx.AsyncClient,
) -> None:
    for operation in WITH_PATH:
        assert code(await ask(client, operation, mint(), last="a%2fb")) == _is(problems.NOT_FOUND), operation.id
        assert code(await ask(client, operation, mint(), last="x" * 5000)) == _is(problems.PATH_TOO_LONG), operation.id


async def test_a_path_that_no_operation_has_is_refused_and_so_is_another_method(client: httpx.AsyncClient) -> None:
    assert code(await client.get("/v1/nothing")) == _is(problems.NOT_FOUND)
    assert code(await client.get("/" + "x" * 5000)) == _is(problems.PATH_TOO_LONG)
    for path in {operation.path for operation in OPERATIONS}:
        [first] = [each for each in OPERATIONS if each.path == path][:1]
        answer = await client.request("POST" if path == "/" else "TRACE", path_of(first))
        assert code(answer) == _is(problems.METHOD_NOT_ALLOWED), path
        allowed = set(answer.headers["allow"].split(", "))
        assert allowed - {"HEAD"} == {each.method for each in OPERATIONS if each.path == path}


def _is(problem: Problem) -> tuple[int, str]:
    return problem.status, problem.code


def _names(answer: httpx.Response) -> list[str]:
    return [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
