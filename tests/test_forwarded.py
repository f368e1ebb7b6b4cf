"""X-Forwarded headers and trusted proxies."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssechat.errors import SettingsError
from ssechat.http.forwarded import CACHED_PEERS, UNKNOWN, TrustedProxies
from ssechat.settings import Settings, load_settings

FRONT = "10.0.0.1"
PROXIES = TrustedProxies(("10.0.0.0/24", "192.0.2.7", "2001:db8:f::/48"))


def scope(peer: str | None, *headers: tuple[str, str], scheme: str = "http") -> dict[str, Any]:
    """The ASGI scope of a request from this peer."""
    return {
        "type": "http",
        "scheme": scheme,
        "client": None if peer is None else (peer, 4711),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
    }


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        (FRONT, ["198.51.100.9"], "198.51.100.9"),
        (FRONT, ["198.51.100.9:55123"], "198.51.100.9"),
        (FRONT, ["2001:db8::9"], "2001:db8::9"),
        (FRONT, ["[2001:db8::9]:55123"], "2001:db8::9"),
        (FRONT, ["[2001:db8::9]"], "2001:db8::9"),
        # Read from the right, past trusted proxies, up to the first untrusted address.
        (FRONT, ["1.1.1.1, 198.51.100.9"], "198.51.100.9"),
        (FRONT, ["198.51.100.9, 192.0.2.7, 10.0.0.44"], "198.51.100.9"),
        (FRONT, ["1.1.1.1, 198.51.100.9, 192.0.2.7"], "198.51.100.9"),
        (FRONT, ["1.1.1.1", "198.51.100.9,192.0.2.7"], "198.51.100.9"),
        (FRONT, ["10.0.0.44, 10.0.0.45"], "10.0.0.44"),
        ("2001:db8:f::1", ["198.51.100.9"], "198.51.100.9"),
        # An IPv4 peer on a dual-stack socket.
        ("::ffff:10.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("::ffff:198.51.100.9", [], "198.51.100.9"),
        # No header, or no valid address: the last trusted address counts.
        (FRONT, [], FRONT),
        (FRONT, [""], FRONT),
        (FRONT, ["unknown"], FRONT),
        (FRONT, ["1.1.1.1, unknown, 192.0.2.7"], "192.0.2.7"),
        (FRONT, ["<script>, \xff"], FRONT),
        (FRONT, ["198.51.100.9, " * 1000 + "[", FRONT], FRONT),
        # A zone in a header is any text; the peer's comes from the kernel, and has no meaning elsewhere.
        (FRONT, ["fe80::1%eth0"], FRONT),
        (FRONT, ["1.1.1.1, [fe80::1%evil\x1b[2J]:5, 192.0.2.7"], "192.0.2.7"),
        (FRONT, ["fe80::1%\x85ERROR: all is lost"], FRONT),
        ("fe80::1%eth0", [], "fe80::1"),
        ("2001:db8:f::1%eth0", ["198.51.100.9"], "198.51.100.9"),
        # The headers of an untrusted peer are ignored.
        ("198.51.100.9", ["1.1.1.1"], "198.51.100.9"),
        ("192.0.2.8", ["10.0.0.1"], "192.0.2.8"),
        ("testclient", ["1.1.1.1"], UNKNOWN),
        (None, ["1.1.1.1"], UNKNOWN),
    ],
)
def test_the_client_is_the_last_of_the_chain_that_is_no_trusted_proxy(
    peer: str | None, chain: list[str], client: str
) -> None:
    assert PROXIES.client(scope(peer, *(("X-Forwarded-For", line) for line in chain))) == client


@pytest.mark.parametrize(
    ("peer", "given", "scheme"),
    [
        (FRONT, ["https"], "https"),
        (FRONT, ["http"], "http"),
        (FRONT, [], "http"),
        (FRONT, ["gopher"], "http"),
        (FRONT, [""], "http"),
        # The last value is that of the nearest proxy.
        (FRONT, ["http, https"], "https"),
        (FRONT, ["https", "http"], "http"),
        ("198.51.100.9", ["https"], "http"),
        ("testclient", ["https"], "http"),
        (None, ["https"], "http"),
    ],
)
def test_the_scheme_is_what_a_trusted_proxy_says_of_it(peer: str | None, given: list[str], scheme: str) -> None:
    assert PROXIES.scheme(scope(peer, *(("X-Forwarded-Proto", line) for line in given))) == scheme


def test_without_a_proxy_the_servers_own_scheme_counts() -> None:
    assert PROXIES.scheme(scope("198.51.100.9", ("X-Forwarded-Proto", "http"), scheme="https")) == "https"


def test_other_headers_that_say_the_same_are_not_read() -> None:
    given = scope(FRONT, ("Forwarded", "for=1.1.1.1;proto=https"), ("X-Real-IP", "1.1.1.1"))
    assert (PROXIES.client(given), PROXIES.scheme(given)) == (FRONT, "http")


def test_any_number_of_strangers_is_told_from_the_proxies() -> None:
    for number in range(2 * CACHED_PEERS):
        stranger = f"198.18.{number // 250}.{number % 250}"
        assert PROXIES.scheme(scope(stranger, ("X-Forwarded-Proto", "https"))) == "http"
    assert PROXIES.scheme(scope(FRONT, ("X-Forwarded-Proto", "https"))) == "https"


def test_only_this_machine_is_trusted_until_told_otherwise() -> None:
    proxies = TrustedProxies(Settings().trusted_proxies)
    for peer, scheme in (("127.0.0.1", "https"), ("::1", "https"), ("127.0.0.2", "http"), ("10.0.0.1", "http")):
        assert proxies.scheme(scope(peer, ("X-Forwarded-Proto", "https"))) == scheme


def test_proxies_are_a_list_with_commas_of_addresses_and_networks() -> None:
    settings = load_settings({}, {"SSECHAT_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1,"})
    assert settings.trusted_proxies == ("10.0.0.0/8", "2001:db8::1")


@pytest.mark.parametrize("wrong", ["*", "front", "10.0.0.0/33", "10.0.0.1/8", "http://10.0.0.1"])
def test_what_is_no_address_is_told_at_the_start(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"--trusted-proxies: .*neither an IP address nor a network"):
        load_settings({"trusted_proxies": f"127.0.0.1,{wrong}"}, {})


@given(
    st.text(st.characters(max_codepoint=255), max_size=60)
    | st.from_regex(r"\[?fe80::[0-9a-f]{1,4}%.*\]?", fullmatch=True)
)
def test_whatever_the_chain_holds_the_client_is_an_address_that_was_read_and_written_anew(text: str) -> None:
    line = text.encode("latin-1", "replace").decode("latin-1")
    found = PROXIES.client(scope(FRONT, ("X-Forwarded-For", line)))
    assert re.fullmatch(r"[0-9a-f:.]{2,45}", found)
