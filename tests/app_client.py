"""The whole app in this process, and a client of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from parts import SECRET, settings
from ssechat.app import create_app


@asynccontextmanager
async def client_of(redis_url: str, folder: Path, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app of these settings, whose data folder is `folder`."""
    if "jwt_secret" not in more:
        (folder / "jwt.key").write_text(SECRET)
    app = create_app(settings(redis_url, data=folder, redis_timeout=0.5, **more))
    async with app.router.lifespan_context(app), client_to(app) as client:
        yield client


def client_to(app: ASGIApp) -> httpx.AsyncClient:
    """A client of an app that runs in this process."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://chat")


async def sign_up(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    """Makes an account; the headers that sign its requests."""
    response = await client.post("/v1/users", json={"name": name, "password": "correct horse"})
    assert response.status_code == 201
    client.cookies.clear()
    return {"authorization": f"Bearer {response.json()['token']}"}


def code(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a problem response."""
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert set(problem) >= {"type", "title", "status", "code", "detail"}
    return response.status_code, problem["code"]


async def ready_is(client: httpx.AsyncClient, status: int) -> dict[str, object]:
    """Waits until `/healthz/ready` has this status, and returns its body."""
    async with asyncio.timeout(8):
        while (answer := await client.get("/healthz/ready")).status_code != status:
            await asyncio.sleep(0.02)
    body: dict[str, object] = answer.json()
    return body
