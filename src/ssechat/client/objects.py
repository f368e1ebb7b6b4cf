"""Answers that are objects of JSON."""

from collections.abc import Mapping
from typing import Any

import httpx

from ssechat.client.errors import ANOTHER_FORM, ClientError
from ssechat.problem_details import json_object


def object_of(response: httpx.Response) -> Mapping[str, Any]:
    """The object in a response.

    Raises:
        ClientError: it is none.
    """
    found = json_object(response.content)
    if found is None:
        raise ClientError(ANOTHER_FORM)
    return found
