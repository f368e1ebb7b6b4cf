"""Lists that a server answers in pages."""

from collections.abc import Iterator, Mapping
from typing import Any

from ssechat.client.calls import ANOTHER_FORM, Calls
from ssechat.client.errors import ClientError

PAGE_ITEMS = 200


def pages(calls: Calls, path: str, field: str, cursor: str, patience: float) -> Iterator[Mapping[str, Any]]:
    """Yields the items of all pages of a list: `field` has them, and `next` what the parameter `cursor` must say.

    Raises:
        ClientError: the server refused, did not answer for `patience` seconds, or sent something else.
    """
    query = {"limit": str(PAGE_ITEMS)}
    while True:
        page = calls.ask("GET", path, query=query, patience=patience)
        yield from listed(page, field)
        following = page.get("next")
        if not isinstance(following, str) or following in ("", query.get(cursor)):
            return
        query[cursor] = following


def listed(page: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """The items in a field of an answer.

    Raises:
        ClientError: there is no such list.
    """
    items = page.get(field)
    if not isinstance(items, list):
        raise ClientError(ANOTHER_FORM)
    return [item for item in items if isinstance(item, dict)]
