"""Settings from the command line and the environment."""

from pathlib import Path

import pytest

from ssechat.errors import SettingsError
from ssechat.settings import Settings, default_data_folder, flag, load_settings, variable


def test_the_command_line_wins_over_the_environment_and_that_over_the_defaults() -> None:
    environment = {"SSECHAT_PORT": "9000", "SSECHAT_WORKERS": "3"}
    settings = load_settings({"port": "9001", "host": None}, environment)
    assert (settings.port, settings.workers, settings.host) == (9001, 3, "127.0.0.1")


def test_an_empty_variable_counts_as_none() -> None:
    assert load_settings({}, {"SSECHAT_REDIS_URL": ""}).redis_url is None


@pytest.mark.parametrize(
    ("flags", "environment", "text"),
    [
        ({"port": "x"}, {}, r"^--port: .*whole number.*'x'"),
        ({"port": "70000"}, {}, r"^--port: "),
        ({}, {"SSECHAT_SIGNUP": "maybe"}, r"^SSECHAT_SIGNUP: .*'open' or 'closed'"),
        ({}, {"SSECHAT_WORKERS": "0"}, r"^SSECHAT_WORKERS: "),
        ({"ping_seconds": "nan"}, {}, r"^--ping-seconds: "),
        # Redis accepts no expiry below a second: no user could sign in.
        ({"session_days": "0.00001"}, {}, r"^--session-days: "),
    ],
)
def test_a_wrong_value_is_told_by_the_name_under_which_it_came(
    flags: dict[str, str], environment: dict[str, str], text: str
) -> None:
    with pytest.raises(SettingsError, match=text):
        load_settings(flags, environment)


def test_a_secret_that_is_wrong_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="SSECHAT_JWT_SECRET: HS256 needs a secret of at least 32 bytes") as caught:
        load_settings({}, {"SSECHAT_JWT_SECRET": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_origins_are_a_list_with_commas() -> None:
    settings = load_settings({"allowed_origins": "https://a.test, https://b.test,"}, {})
    assert settings.allowed_origins == ("https://a.test", "https://b.test")


def test_the_data_folder_follows_the_desktop_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert default_data_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/ssechat")
    assert default_data_folder({"XDG_DATA_HOME": "relative"}) == Path("/home/me/.local/share/ssechat")
    assert default_data_folder({}) == Path("/home/me/.local/share/ssechat")


def test_folders_are_absolute_and_know_what_home_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    assert load_settings({"data": "~/chat"}, {}).data == Path("/home/me/chat")
    assert load_settings({"data": "chat", "key_file": "key"}, {}).key_file == tmp_path / "key"


@pytest.mark.parametrize("secret", ["x" * 16, "x" * 31, "é" * 15, "\udcff" * 40])
def test_a_secret_that_the_standard_finds_too_short_is_refused_at_the_start(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"SSECHAT_JWT_SECRET: .*(at least 32 bytes|UTF-8)") as caught:
        load_settings({}, {"SSECHAT_JWT_SECRET": secret})
    assert secret not in str(caught.value)


@pytest.mark.parametrize("secret", ["x" * 32, "é" * 16])
def test_a_secret_of_32_bytes_will_do(secret: str) -> None:
    assert load_settings({}, {"SSECHAT_JWT_SECRET": secret}).jwt_secret == secret


def test_every_setting_has_a_flag_a_variable_and_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert flag(name) == "--" + name.replace("_", "-")
        assert variable(name) == "SSECHAT_" + name.upper()
        assert field.description
        assert field.description.endswith(".")


def test_settings_survive_the_way_to_a_worker(tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path), "allowed_origins": "https://a.test", "port": "0"}, {})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    assert "\n" not in settings.model_dump_json()


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example/certs",
        "https://id.example:8443/realms/chat/protocol/openid-connect/certs?x=1",
        "http://localhost:8080/certs",
        "http://127.0.0.1/certs",
        "http://[::1]:8080/certs",
        "http://id.localhost/certs",
    ],
)
def test_keys_are_fetched_over_https_or_from_this_machine(url: str) -> None:
    assert load_settings({}, {"SSECHAT_JWKS_URL": url}).jwks_url == url


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://id.example/certs", "--jwks-http on"),
        ("http://127.0.0.1.example/certs", "--jwks-http on"),
        ("http://10.0.0.1/certs", "--jwks-http on"),
        ("ftp://id.example/certs", "not a URL such as https://"),
        ("file:///etc/certs", "not a URL such as https://"),
        ("id.example/certs", "not a URL such as https://"),
        ("https://", "not a URL such as https://"),
        ("https://id.example:99999/", "not a URL such as https://"),
        ("https://id.example:0/", "not a URL such as https://"),
        ("https://[::1/", "not a URL such as https://"),
        ("https://id.example/a b", "not a URL such as https://"),
        ("https://id.example/\n", "not a URL such as https://"),
        ("https://id.example/" + "x" * 3000, "not a URL such as https://"),
        ("https://user:pass@id.example/certs", "user name and the password"),
        ("https://id.example/certs#keys", "leave the #"),
    ],
)
def test_a_url_that_keys_cannot_be_fetched_from_safely_is_refused(url: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^SSECHAT_JWKS_URL: .*{text}") as caught:
        load_settings({}, {"SSECHAT_JWKS_URL": url})
    assert "pass@" not in str(caught.value)


def test_keys_over_http_from_elsewhere_are_for_who_says_so() -> None:
    chosen = load_settings({"jwks_http": "on"}, {"SSECHAT_JWKS_URL": "http://keycloak:8080/certs"})
    assert chosen.jwks_url == "http://keycloak:8080/certs"
    assert chosen.external_identity


@pytest.mark.parametrize(
    ("host", "address"),
    [("chat.example", "http://chat.example:80"), ("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80")],
)
def test_the_address_of_a_server_can_be_asked_for(host: str, address: str) -> None:
    assert load_settings({"host": host, "port": 80}, {}).address == address
