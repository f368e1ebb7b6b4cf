"""Answers that are objects of JSON."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from ssechat.client.errors import ANOTHER_FORM, ClientError


def object_of(response: httpx.Response) -> Mapping[str, Any]:
    """The object in a response.

    Raises:
        ClientError: it is none.
    """
    try:
        found = json.loads(response.content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ClientError(ANOTHER_FORM)
    return found
