"""Lists that a server answers in pages."""

from collections.abc import AsyncIterator, Mapping
from typing import TypeVar

from ssechat.client.calls import Calls
from ssechat.client.errors import ANOTHER_FORM, ClientError
from ssechat.client.models import Model

PAGE_ITEMS = 200

Item = TypeVar("Item", bound=Model)


async def pages(
    calls: Calls, path: str, field: str, cursor: str, model: type[Item], query: Mapping[str, str] | None = None
) -> AsyncIterator[Item]:
    """Yields the items of all pages of a list: `field` has them, and `next` what the parameter `cursor` must say.

    Raises:
        ClientError: the server refused, did not answer in time, or sent something else.
    """
    asked = {"limit": str(PAGE_ITEMS), **(query or {})}
    while True:
        page = await calls.object("GET", path, query=asked)
        for item in listed(page, field, model):
            yield item
        following = page.get("next")
        if not isinstance(following, str) or following in ("", asked.get(cursor)):
            return
        asked[cursor] = following


def listed(page: Mapping[str, object], field: str, model: type[Item]) -> list[Item]:
    """The items in a field of an answer.

    Raises:
        ClientError: there is no such list.
    """
    items = page.get(field)
    if not isinstance(items, list):
        raise ClientError(ANOTHER_FORM)
    return [model.read(item) for item in items if isinstance(item, dict)]
