"""The URL of a Redis: valid forms are parsed, and no error quotes a password."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import ConnectionPool

from ssechat.errors import SettingsError
from ssechat.redis.checks import check_redis
from ssechat.redis.url import check_url, shown_url, user_of
from ssechat.settings import load_settings


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis://host", {"host": "host"}),
        ("redis://host/", {"host": "host"}),
        ("redis://host:7000/12", {"host": "host", "port": 7000, "db": 12}),
        ("redis://host?db=3", {"host": "host", "db": 3}),
        ("redis://[2001:db8::1]:7000/1", {"host": "2001:db8::1", "port": 7000, "db": 1}),
        ("redis://:p%40s%2Fs%3F%23%25@host/0", {"password": "p@s/s?#%", "host": "host", "db": 0}),
        ("redis://us%3Aer:p%C3%A4ss@host", {"username": "us:er", "password": "päss"}),
        ("redis://host/0?username=me&password=s%20cret", {"username": "me", "password": "s cret"}),
        ("rediss://host?ssl_cert_reqs=none&ssl_check_hostname=false", {"ssl_check_hostname": False}),
        ("rediss://host?ssl_ca_certs=/etc/ca%20s.pem", {"ssl_ca_certs": "/etc/ca s.pem"}),
        ("unix:///run/redis.sock", {"path": "/run/redis.sock"}),
        ("unix:///run/%C3%B6%20x/redis.sock?db=2", {"path": "/run/ö x/redis.sock", "db": 2}),
        ("unix://me:s%40cret@/run/redis@1.sock", {"username": "me", "password": "s@cret", "path": "/run/redis@1.sock"}),
    ],
)
def test_a_url_of_a_redis_is_read_as_it_was_meant(url: str, meant: dict[str, Any]) -> None:
    check_url(url)
    options = ConnectionPool.from_url(url).connection_kwargs
    assert {name: options.get(name) for name in meant} == meant
    for secret in (meant.get("password"), meant.get("username")):
        assert secret is None or secret not in shown_url(url)


SECRETS = ("s3cret", "w0rd", "p4ss")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://:s3cret@host", "begins with redis://"),
        ("REDIS://:s3cret@host", "begins with redis://"),
        ("s3cret", "begins with redis://"),
        ("redis://:s3cret/w0rd@host:6379/0", "another shape"),
        ("redis://me:12/s3cret@host:6379/0", "in front of an @"),
        ("redis://me:12?s3cret=w0rd@host", "in front of an @"),
        ("redis://:s3cret?w0rd@host", "another shape"),
        ("redis://:s3cret#w0rd@host", "another shape"),
        ("redis://:12#s3cret", "there is a #"),
        ("redis://:s3cret@host:port", "another shape"),
        ("redis://:s3cret@host:99999", "another shape"),
        ("redis://:s3cret@host:0", "port 0"),
        ("redis://:s3cret@[::1", "another shape"),
        ("redis://:s3cret@ho..st", "another shape"),
        ("redis://:s3cret\u2100@host", "another shape"),
        ("redis://:s3cret%ff@host", "another shape"),
        ("redis://:s3cret\udcff@host", "not UTF-8"),
        ("redis://:s3cret\n@host", "control character"),
        ("redis://:s3cret w0rd@host", "space"),
        ("redis://:s3cret@host/p4ss", "number of a database"),
        ("redis://:s3cret@host/0/1", "number of a database"),
        ("redis://:s3cret@host/-1", "number of a database"),
        ("redis://:s3cret@host?socket_timeout=abc", "not one of these.*socket_timeout"),
        ("redis://:s3cret@host?foo=bar", r"not one of these.*\(foo\)"),
        ("redis://:s3cret@host?decode_responses=true", "not one of these"),
        ("redis://:s3cret@host?protocol=3", "not one of these"),
        ("redis://:s3cret@host?max_connections=x", "not one of these"),
        ("redis://:s3cret@host?s3cret W0RD=x", "space"),
        ("redis://:s3cret@host?db=x", "option db"),
        ("redis://:s3cret@host?db=", "option db"),
        ("redis://:s3cret@host?db=1&db=2", "twice"),
        ("redis://:s3cret@host/1?db=2", "two databases"),
        ("redis://:s3cret@host?db", "name=value"),
        ("redis://:s3cret@host?ssl_ca_certs=/x", "needs TLS"),
        ("rediss://:s3cret@host?ssl_cert_reqs=maybe", "option ssl_cert_reqs"),
        ("rediss://:s3cret@host?ssl_check_hostname=perhaps", "option ssl_check_hostname"),
        ("unix://run/redis.sock", "third slash"),
        ("unix://:s3cret@host/run/redis.sock", "third slash"),
        ("unix://me:s3cret/w0rd@/run/redis.sock", "another shape"),
        ("unix://", "path of the socket"),
        ("unix:///run/%00", "zero byte"),
    ],
)
def test_a_url_that_is_wrong_is_refused_with_a_sentence_that_quotes_no_secret(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=f"--redis-url: .*{why}") as caught:
        load_settings({"redis_url": url}, {})
    error: BaseException | None = caught.value
    while error is not None:  # nor do chained exceptions, which a traceback would show
        assert not any(secret in str(error) for secret in SECRETS)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_the_user_is_named_only_where_acl_words_can_name_it() -> None:
    assert user_of("redis://host") == "default"
    assert user_of("redis://:secret@host") == "default"
    assert user_of("redis://chat:secret@host") == "chat"
    assert user_of("unix:///run/x?username=chat") == "chat"
    assert user_of("redis://ch%20at:secret@host") == "…"


@pytest.mark.anyio
async def test_files_for_tls_that_cannot_be_used_are_named_by_their_option(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    for options, why in (
        ("ssl_ca_certs=/nowhere/ca.pem", "ssl_ca_certs cannot be read: No such file"),
        (f"ssl_ca_certs={nonsense}", "certificates or keys cannot be used"),
        (f"ssl_certfile={nonsense}", "certificates or keys cannot be used"),
        ("ssl_ca_certs=%00", "ssl_ca_certs cannot be read"),
    ):
        with pytest.raises(SettingsError, match=why):
            await check_redis(f"rediss://:s3cret@127.0.0.1:1/0?{options}", 5)
