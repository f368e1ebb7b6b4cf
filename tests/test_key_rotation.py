"""Servers in the middle of a rotation of their key: nobody is signed out by it."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import httpx
import jwt
import pytest

from app_client import client_of
from redises import RedisProcess
from ssechat.errors import SettingsError, Unauthorized
from ssechat.http.cookies import SessionCookie
from ssechat.identity.key_file import SigningKey, SigningKeys
from ssechat.identity.tokens import Tokens
from ssechat.redis import keys
from ssechat.redis.checks import MOVE_ON, check_key

pytestmark = pytest.mark.anyio

OLD, NEW = "o" * 64, "n" * 64
BEFORE = SigningKeys(SigningKey(OLD))
KNOWN = SigningKeys(SigningKey(OLD), upcoming=(SigningKey(NEW, is_next=True),))
AFTER = SigningKeys(SigningKey(NEW), former=(SigningKey(OLD, until=time.time() + 3600),))
OVER = SigningKeys(SigningKey(NEW), former=(SigningKey(OLD, until=time.time() - 1),))

FRONT = {"x-forwarded-proto": "https"}

Start = Callable[[SigningKeys], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def start(redis: RedisProcess, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts servers on one Redis, each with keys of its own."""
    async with AsyncExitStack() as stack:
        count = 0

        async def begin(of: SigningKeys) -> httpx.AsyncClient:
            nonlocal count
            count += 1
            path = tmp_path / f"{count}.key"
            path.write_text(of.text)
            return await stack.enter_async_context(client_of(redis.url, tmp_path, key_file=path))

        yield begin


def cookies_after(answer: httpx.Response, jar: dict[str, str]) -> None:
    """Does to a jar what a browser does with the answer's cookies."""
    for line in answer.headers.get_list("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        if "Max-Age=0" in line:
            jar.pop(name, None)
        else:
            jar[name] = value


async def signed_in(client: httpx.AsyncClient, jar: dict[str, str], user: str, *, new: bool = False) -> None:
    answer = await client.post(
        "/v1/users" if new else "/v1/session",
        json={"name": user, "password": "correct horse"},
        headers={**FRONT, "cookie": line(jar)},
    )
    assert answer.status_code == (201 if new else 200), answer.text
    client.cookies.clear()
    cookies_after(answer, jar)


def line(jar: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


async def who(client: httpx.AsyncClient, jar: dict[str, str]) -> str | int:
    answer = await client.get("/v1/session", headers={**FRONT, "cookie": line(jar)})
    client.cookies.clear()
    return str(answer.json()["user"]) if answer.status_code == 200 else answer.status_code


async def test_a_session_in_a_browser_outlasts_every_step_of_a_rotation_and_ends_with_the_old_key(start: Start) -> None:
    before, known, after, over = [await start(each) for each in (BEFORE, KNOWN, AFTER, OVER)]
    jar: dict[str, str] = {}
    await signed_in(before, jar, "alice", new=True)
    assert [await who(server, jar) for server in (before, known, after, over)] == ["alice", "alice", "alice", 401]
    assert await who(await start(AFTER), jar) == "alice"


async def test_who_signs_in_at_a_server_that_is_further_is_signed_in_at_those_that_are_not_yet(start: Start) -> None:
    known, after = await start(KNOWN), await start(AFTER)
    jar: dict[str, str] = {}
    await signed_in(after, jar, "bob", new=True)
    assert [await who(server, jar) for server in (known, after)] == ["bob", "bob"]


async def test_a_second_sign_in_replaces_the_first_whichever_key_signed_either(start: Start) -> None:
    known, after = await start(KNOWN), await start(AFTER)
    jar: dict[str, str] = {}
    for user, server in (("carol", known), ("dave", after), ("erin", known)):
        await signed_in(server, jar, user, new=True)
        assert len(jar) == 1
        assert [await who(each, jar) for each in (known, after)] == [user, user]
    answer = await after.delete("/v1/session", headers={**FRONT, "cookie": line(jar)})
    assert answer.status_code == 204
    cookies_after(answer, jar)
    assert jar == {}


def test_of_two_sessions_in_one_browser_that_of_the_key_that_signs_counts() -> None:
    old, new = "ssechat_session_old", "ssechat_session_new"
    line = f"a=b; __Host-{old}=1; {old}=2; __Host-{new}=3; {new}=4; {new}=; x{new}=5; {new}x=6"
    assert SessionCookie([new, old]).read(line) == (["3", "1"], ["4", "2"])
    assert SessionCookie([old]).read(line) == (["1"], ["2"])


def test_what_a_former_key_signed_lasts_no_longer_than_that_key() -> None:
    forged = jwt_of(OLD, exp=time.time() + 10 * 365 * 86_400)
    identity = Tokens.of_our_own(AFTER).verify(forged).identity
    assert identity.expires_at == AFTER.former[0].until


def test_a_former_key_counts_no_more_when_its_time_comes_while_the_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens.of_our_own(AFTER)
    token = jwt_of(OLD, exp=time.time() + 86_400)
    assert tokens.verify(token).identity.user == "alice"
    moved = SimpleNamespace(time=lambda: AFTER.former[0].until)
    monkeypatch.setattr("ssechat.identity.verification_keys.time", moved)
    with pytest.raises(Unauthorized):
        tokens.verify(token)


def jwt_of(secret: str, **claims: object) -> str:
    return jwt.encode({"sub": "alice", **claims}, secret, "HS256")


async def checked(url: str, of: SigningKeys) -> None:
    """Does what a server with these keys does at its start."""
    await check_key(
        url,
        of.signing.fingerprint,
        2,
        upcoming=[key.fingerprint for key in of.upcoming],
        former=[key.fingerprint for key in of.former],
    )


async def test_servers_of_one_redis_go_through_a_rotation_one_by_one(redis: RedisProcess) -> None:
    for of in (BEFORE, BEFORE, KNOWN, BEFORE, KNOWN, AFTER, KNOWN, AFTER, OVER, KNOWN):
        await checked(redis.url, of)
    with redis.client() as client:
        assert client.get(keys.KEY_FINGERPRINT) == AFTER.signing.fingerprint.encode()


async def test_a_server_that_does_not_know_the_key_that_others_sign_with_is_refused(redis: RedisProcess) -> None:
    await checked(redis.url, KNOWN)
    await checked(redis.url, AFTER)
    for of in (BEFORE, SigningKeys(SigningKey("x" * 64))):
        with pytest.raises(SettingsError, match=r"sign with another key.*ssechat key rotate"):
            await checked(redis.url, of)


async def test_of_two_servers_that_move_the_fingerprint_on_at_once_neither_takes_the_others_back(
    redis: RedisProcess,
) -> None:
    with redis.client() as client:
        client.set(keys.KEY_FINGERPRINT, "second")
        assert client.eval(MOVE_ON, 1, keys.KEY_FINGERPRINT, "first", "third") == b"second"
        assert client.get(keys.KEY_FINGERPRINT) == b"second"
        assert client.eval(MOVE_ON, 1, keys.KEY_FINGERPRINT, "second", "third") == b"third"
        assert client.get(keys.KEY_FINGERPRINT) == b"third"


async def test_a_check_needs_no_right_that_servers_do_not_have(user_url: str) -> None:
    await checked(user_url, BEFORE)
    await checked(user_url, AFTER)
    with pytest.raises(SettingsError):
        await checked(user_url, BEFORE)
