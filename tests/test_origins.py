import pytest

from ssechat.errors import SettingsError
from ssechat.settings import load_settings
from ssechat.texts.origins import Origins, canonical_origin, is_same_origin


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("https://app.example", "https://app.example"),
        ("HTTPS://App.Example", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("https://app.example:0443", "https://app.example"),
        ("https://app.example:", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:443", "http://app.example:443"),
        ("https://app.example.", "https://app.example"),
        ("https://app.example.:8443", "https://app.example:8443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://192.0.2.7", "http://192.0.2.7"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://[2001:DB8:0:0::1]:8000", "http://[2001:db8::1]:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://my_app.example", "https://my_app.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_an_origin_has_one_spelling_the_browsers(given: str, written: str) -> None:
    assert canonical_origin(given) == written
    assert canonical_origin(written) == written
    assert given in Origins([written])
    assert written in Origins([given])


NEVER = [
    "*",
    "",
    "null",
    "app.example",
    "app.example:443",
    "//app.example",
    "https:app.example",
    "https:/app.example",
    "https://",
    "https://:443",
    "https://app.example/",
    "https://app.example/chat",
    "https://app.example?x",
    "https://app.example#x",
    "https://app.example\\x",
    "https://user@app.example",
    "https://user:password@app.example",
    "https://*.example",
    "https://*",
    "https://app.example:*",
    "https://app.example:0",
    "https://app.example:65536",
    "https://app.example:port",
    "https://app.example:-1",
    "https://app.example:٤٤٣",
    "https://app .example",
    "https://app..example",
    "https://.example",
    "https://-app.example",
    "https://bücher.example",
    "https://" + "a" * 64 + ".example",
    "https://" + "a.b" * 100,
    "https://" + "a" * 100_000,
    "https://1.2.3",
    "https://256.1.1.1",
    "http://[",
    "http://[]",
    "http://]",
    "http://[::1",
    "http://[::1]x",
    "http://[::1%25eth0]",
    "http://[v1.x]",
    "https://a]b[",
    "file://",
    "file:///home",
    "data:text/html,x",
    "ws://app.example",
    "wss://app.example",
    "ftp://app.example",
    "1http://app.example",
    "https://app.example\n",
    "https://app.example\0",
    "https://\ud800.example",
]


@pytest.mark.parametrize("text", NEVER)
def test_what_no_page_has_is_no_origin_and_a_sentence_says_so(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        canonical_origin(text)
    assert 10 < len(str(caught.value)) < 400
    assert text not in Origins(["https://app.example"])
    assert not is_same_origin(text, "app.example", "https")


@pytest.mark.parametrize("text", [text for text in NEVER if text not in ("", "https://app.example\n")])
def test_an_allowed_origin_that_can_never_match_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="--allowed-origins: "):
        load_settings({"allowed_origins": f"https://fine.example,{text}"}, {})


def test_allowed_origins_are_kept_as_browsers_write_them_and_each_once() -> None:
    given = {"SSECHAT_ALLOWED_ORIGINS": "HTTPS://App.Example:443, https://app.example,http://localhost:3000,"}
    assert load_settings({}, given).allowed_origins == ("https://app.example", "http://localhost:3000")


def test_where_no_other_origin_is_allowed_none_is() -> None:
    assert "https://app.example" not in Origins([])
    assert len(Origins(["https://a.example", "https://A.example"])) == 1
    assert list(Origins(["https://A.example"])) == ["https://a.example"]


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "same"),
    [
        ("http://chat.example", "chat.example", "http", True),
        ("http://chat.example", "Chat.Example", "http", True),
        ("HTTP://CHAT.example", "chat.example", "http", True),
        ("http://chat.example", "chat.example:80", "http", True),
        ("http://chat.example:80", "chat.example", "http", True),
        ("https://chat.example", "chat.example:443", "https", True),
        ("https://chat.example:443", "chat.example", "https", True),
        ("https://chat.example", "chat.example.", "https", True),
        ("https://chat.example.", "chat.example", "https", True),
        ("http://[::1]:8000", "[0:0::1]:8000", "http", True),
        ("http://chat.example:8000", "chat.example:8000", "http", True),
        # A proxy that does not send X-Forwarded-Proto.
        ("https://chat.example", "chat.example", "http", True),
        ("https://chat.example", "chat.example:443", "http", True),
        # A page loaded over http, of a server behind https.
        ("http://chat.example", "chat.example", "https", False),
        ("http://chat.example:443", "chat.example:443", "https", False),
        ("http://chat.example:8000", "chat.example", "http", False),
        ("http://chat.example", "chat.example:8000", "http", False),
        ("https://chat.example", "chat.example:80", "https", False),
        ("https://chat.example:80", "chat.example", "https", False),
        ("https://chat.example.evil.example", "chat.example", "https", False),
        ("https://evil.example", "chat.example", "https", False),
        ("ftp://chat.example", "chat.example", "http", False),
        ("capacitor://chat.example", "chat.example", "http", False),
        ("http://", "", "http", False),
        ("null", "null", "http", False),
        ("", "", "http", False),
        ("http://chat.example", "chat.example/x", "http", False),
        ("http://chat.example", "user@chat.example", "http", False),
        ("http://chat.example", "[", "http", False),
    ],
)
def test_a_page_is_of_this_server_when_scheme_host_and_port_are(
    origin: str, host: str, scheme: str, same: bool
) -> None:
    assert is_same_origin(origin, host, scheme) is same
