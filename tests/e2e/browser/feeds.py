"""Feeds for the browser's tests: a server whose admin they are, and what they publish."""

from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from serving import Server

ADMIN_TOKEN = "the-token-of-the-admin"
BANNER = "news"
"""The feed that the page shows as a banner."""


def token_file(folder: Path) -> str:
    """A file with the admin token; its name."""
    path = folder / "admin.token"
    path.write_text(ADMIN_TOKEN)
    return str(path)


class Admin:
    """Makes and fills feeds."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _ask(self, method: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        answer = httpx.request(method, self._url + path, json=body, headers=headers, timeout=20, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()

    def make(self, feed: str, **terms: Any) -> None:
        self._ask("PUT", f"/v1/feeds/{feed}", {"read": "public", **terms})

    def publish(self, feed: str, data: Any, **more: Any) -> None:
        self._ask("POST", f"/v1/feeds/{feed}/events", {"data": data, **more})

    def board(self, feed: str, **states: str) -> None:
        """Publishes what runs where: `shop_production="failed"`."""
        for place, state in states.items():
            key = place.replace("_", "/")
            self.publish(feed, {"state": state, "version": "1.2.3"}, key=key, event="made-up")


def values(server: Server, feed: str) -> dict[str, Any]:
    """The newest value of each key, as the server has it."""
    now = httpx.get(f"{server.url}/v1/feeds/{feed}", timeout=20, trust_env=False).json()
    return {each["key"]: each["data"] for each in now["events"]}


def live(page: Page, more: str = "") -> None:
    """Waits until the page of an example says that its stream is open."""
    expect(page.locator("#state")).to_contain_text(f"Live.{more}")
