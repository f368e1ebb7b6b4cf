"""What the guard keeps of request headers for the requests that have the same ones."""

from typing import Any, cast

import pytest

from ssechat.errors import BadRequest, Forbidden
from ssechat.http.exchange import Request
from ssechat.http.forwarded import TrustedProxies
from ssechat.http.guard import Guard
from ssechat.texts.origins import Origins


def guard(*proxies: str) -> Guard:
    return Guard(cast(Any, None), cast(Any, None), TrustedProxies(proxies), 65536, Origins(()), cast(Any, None))


def scope(client: str, **headers: str) -> dict[str, Any]:
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"scheme": "http", "client": (client, 1), "headers": lines}


def check(by: Guard, scope: dict[str, Any]) -> None:
    by.check_write(Request(scope, cast(Any, None)))


def test_an_origin_that_a_proxy_vouches_for_is_checked_for_each_client_with_the_same_headers() -> None:
    headers = {"host": "inside", "x_forwarded_host": "chat.example", "origin": "http://chat.example"}
    known = scope("10.0.0.1", content_type="application/json", **headers)
    check(guard("10.0.0.1"), known)
    with pytest.raises(Forbidden):
        check(guard("10.0.0.1"), {**known, "client": ("192.0.2.1", 1)})


def test_a_write_that_its_headers_alone_allow_is_known_by_them_and_no_other_is() -> None:
    allowed, refused = scope("1.1.1.1", content_type="application/json"), scope("1.1.1.1", content_type="text/plain")
    strange = scope("1.1.1.1", content_type="application/json", sec_fetch_site="cross-site")
    for _ in range(2):
        check(guard(), allowed)
        with pytest.raises(BadRequest):
            check(guard(), refused)
        with pytest.raises(Forbidden):
            check(guard(), strange)


def test_the_token_that_is_kept_is_that_of_the_same_headers() -> None:
    first, second = scope("1.1.1.1", authorization="bearer  a "), scope("1.1.1.1", authorization="Basic a")
    for _ in range(2):
        assert Request(first, cast(Any, None)).bearer() == "a"
        assert Request(second, cast(Any, None)).bearer() is None
