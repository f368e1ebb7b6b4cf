"""An answer of a deployment, and whether it is the app's own."""

from dataclasses import dataclass
from typing import Any

import httpx

from ssechat.problem_details import json_object, shortened

MOST_BYTES = 1 << 20
"""Upper bound of a body that is read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read whole, or up to `MOST_BYTES`."""

    status: int
    headers: httpx.Headers
    body: bytes
    seconds: float
    """From the request to the response's headers."""

    @property
    def json(self) -> dict[str, Any]:
        """The object in the body; empty if there is none."""
        return json_object(self.body) or {}

    @property
    def code(self) -> str:
        """The code of a problem that the app itself answered; empty if this is no such answer."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return str(self.json.get("code", "")) if kind == "application/problem+json" else ""

    @property
    def redirects_to(self) -> str:
        """Where a redirect leads; empty if this is none."""
        return self.headers.get("location", "") if 300 <= self.status < 400 else ""

    def said(self) -> str:
        """The answer in a few words: `404 not_found`, `301 to https://…`, `403 text/html`."""
        kind = self.headers.get("content-type", "no type").partition(";")[0]
        return shortened(f"{self.status} {self.code or (self.redirects_to and f'to {self.redirects_to}') or kind}")
