"""All settings, each declared once: name, type, default, help text, flag and environment variable."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from ssechat.errors import SettingsError
from ssechat.redis.url import check_url
from ssechat.texts.characters import is_utf8
from ssechat.texts.feed_names import FEED_NAME_RULE, is_feed_name
from ssechat.texts.key_set_urls import check_key_set_url
from ssechat.texts.networks import parse_network
from ssechat.texts.origins import canonical_origin
from ssechat.texts.validation_errors import sentence

ENVIRONMENT_PREFIX = "SSECHAT_"

MIN_SECRET_BYTES = 32
"""Bytes of a key for HS256 (RFC 7518 §3.2)."""

MIN_SESSION_DAYS = 0.001
"""Days that a session or a token lasts at least: it expires at a whole second, which must lie in the future."""

LISTS = frozenset({"allowed_origins", "trusted_proxies"})
"""Settings whose value is a list, separated by commas."""


def default_data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The default folder of the server's key and Redis data (XDG Base Directory Specification 0.8).

    Raises:
        SettingsError: this user has no home folder, or its name is not UTF-8.
    """
    base = environment.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):
        # expanduser takes HOME, else the user database; it returns ~ if neither names a home folder.
        home = os.path.expanduser("~")  # noqa: PTH111 – Path's raises
        if not home.startswith("/"):
            raise SettingsError("--data: this user has no home folder (HOME is not set): name a folder with --data")
        base = f"{home}/.local/share"
    if not is_utf8(base):
        raise SettingsError("--data: the home folder's name is not UTF-8 text: name a folder with --data")
    return Path(base) / "ssechat"


def usable_cores() -> int:
    """The number of CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(BaseModel):
    """The settings of a server. Frozen: they are read once, at start, and passed on to the workers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every IPv4 interface.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on; 0 picks a free one.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        default_factory=usable_cores, description="Worker processes; by default one per CPU core."
    )
    data: Path = Field(default_factory=default_data_folder, description="Folder for the keys and the private Redis.")
    # Fields with repr=False hold secrets: they are not quoted in errors either.
    redis_url: str | None = Field(
        None,
        repr=False,
        description="Redis to use (redis://, rediss:// or unix://); by default a private one in the data folder.",
    )
    key_file: Path | None = Field(
        None,
        description="File with the key that signs the server's tokens; by default jwt.key in the data folder.",
    )
    admin_token_file: Path | None = Field(
        None,
        description="File with the admin token, 16 characters or more: who sends it as a bearer token administers "
        "feeds. Without one nobody does.",
    )
    feeds: Literal["anybody", "admin"] = Field("admin", description="Who may make feeds: each user, or the admin only.")
    banner: str | None = Field(
        None,
        description="Feed whose newest event the page shows above everything, to whoever may read the feed; only the "
        "admin makes a feed of this name.",
    )
    examples: Literal["on", "off"] = Field("on", description="Whether the server has pages of examples, at /examples.")
    signup: Literal["open", "closed"] = Field("open", description="Whether anybody may create an account.")
    directory: Literal["on", "off"] = Field(
        "off", description="Whether users find each other by the first letters of their names."
    )
    avatars: Literal["on", "off"] = Field(
        "off",
        description="Whether the page shows the pictures of people, from whatever host they name: that host learns the "
        "addresses of those who look at them.",
    )
    jwt_secret: str | None = Field(
        None,
        repr=False,
        description="Accept only an existing system's tokens, signed with this secret (HS256, 32 bytes or more).",
    )
    jwt_public_key: str | None = Field(
        None, description="Accept only an existing system's tokens, verified with this PEM public key."
    )
    jwks_http: Literal["on", "off"] = Field(
        "off",
        description="Whether --jwks-url may be http:// to another machine: who can change what is sent there can then "
        "sign in as anybody.",
    )
    jwks_url: str | None = Field(
        None,
        repr=False,
        description="Accept only an existing system's tokens, verified with the keys that it publishes here (a JWK "
        "Set, https://).",
    )
    jwt_audience: str | None = Field(None, description="The `aud` claim that such a token must have.")
    jwt_issuer: str | None = Field(None, description="The `iss` claim that such a token must have.")
    jwt_user_claim: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        "sub", description="The claim of such a token that is the user's id, for example preferred_username."
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Other origins whose pages may use this server, separated by commas."
    )
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"),
        description="Addresses and networks of proxies whose X-Forwarded-For, -Proto and -Host are trusted, "
        "separated by commas.",
    )
    sign_ups_per_address: Annotated[int, Field(ge=0)] = Field(
        200, description="Sign-ups that an address (or IPv6 /64) may try within an hour; 0 for no limit."
    )
    failed_sign_ins_per_address: Annotated[int, Field(ge=0)] = Field(
        200,
        description="Sign-ins from an address that may fail within an hour, to accounts that have not signed in there "
        "before; 0 for no limit.",
    )
    failed_sign_ins_per_account: Annotated[int, Field(ge=0)] = Field(
        20,
        description="Sign-ins to an account that may fail within an hour: from each address that it has signed in from "
        "before, and from all other addresses together; 0 for no limit.",
    )
    deliveries_per_user: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        30_000,
        description="Deliveries that a user may cause within a minute: a change counts as many as it reaches inboxes, "
        "two at least; 0 for no limit.",
    )
    receipts: Literal["on", "off"] = Field(
        "on", description="Whether people see up to where others have read a conversation, and have it on a device."
    )
    session_days: Annotated[float, Field(ge=MIN_SESSION_DAYS, le=3650)] = Field(
        30, description="Days that a sign-in lasts."
    )
    # A server starts with each of these numbers at its upper bound.
    body_limit: Annotated[int, Field(ge=1024, le=2**24)] = Field(
        65536, description="Largest body of a request, in bytes."
    )
    inbox_limit: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        10_000, description="Events kept in each user's inbox for replay; a reader further behind gets a reset."
    )
    streams_per_user: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        32, description="Streams that one user may have open on one worker."
    )
    readers_per_feed: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        100_000, description="Streams that one feed may have open on one worker."
    )
    stream_buffer: Annotated[int, Field(ge=4096, le=2**26)] = Field(
        65536, description="Bytes that may be buffered for a slow reader before it is caught up from Redis."
    )
    ping_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        15, description="Seconds without an event on a stream before a ping."
    )
    audit_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        30, description="Seconds between checks that no stream has missed an event."
    )
    slow_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        60, description="Seconds that a reader may read nothing before its stream is closed."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        3, description="Seconds over which a stopping worker closes its streams."
    )
    keep_alive_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        90, description="Seconds that an idle keep-alive connection stays open."
    )
    redis_timeout: Annotated[float, Field(gt=0, le=600)] = Field(
        5, description="Seconds to wait for Redis before a request is answered 503."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    log_format: Literal["text", "json"] = Field(
        "text", description="Format of the log: lines for people, or one JSON object per line."
    )
    access_log: Literal["on", "off"] = Field(
        "off", description="Whether every request is logged, or only those that failed in the server (5xx)."
    )
    metrics: Literal["on", "off"] = Field(
        "on", description="Whether the server has a /metrics endpoint for Prometheus."
    )
    metrics_folder: Path | None = Field(
        None, description="Folder in which the workers share their metrics; by default one in the data folder."
    )

    @field_validator("data", "key_file", "admin_token_file", "metrics_folder")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Makes a path absolute. The shell does not expand the ~ in --data=~/chat; workers may have another cwd."""
        if path is None:
            return None
        expanded = os.path.expanduser(path)  # noqa: PTH111 – Path's raises
        if expanded.startswith("~"):
            raise ValueError("the home folder in the place of ~ is not known")
        try:
            absolute = Path(expanded).absolute()
        except OSError:
            raise ValueError("the current folder does not exist any more: give a path that begins with /") from None
        if not is_utf8(str(absolute)):  # workers and Redis get the path as UTF-8
            raise ValueError("this path is not UTF-8 text")
        return absolute

    @field_validator("banner")
    @classmethod
    def _feed_name(cls, name: str | None) -> str | None:
        if name is not None and not is_feed_name(name):
            raise ValueError(FEED_NAME_RULE)
        return name

    @field_validator("redis_url")
    @classmethod
    def _usable_url(cls, url: str | None) -> str | None:
        if url is not None:
            check_url(url)
        return url

    @field_validator("jwt_secret")
    @classmethod
    def _long_secret(cls, secret: str | None) -> str | None:
        if secret is None:
            return None
        try:
            size = len(secret.encode())
        except UnicodeEncodeError:
            raise ValueError("it is not UTF-8 text") from None
        if size < MIN_SECRET_BYTES:
            raise ValueError(
                f"HS256 needs a secret of at least {MIN_SECRET_BYTES} bytes (RFC 7518 §3.2), and this one has {size}; "
                "make one with `openssl rand -hex 32`"
            )
        return secret

    @field_validator("jwks_url")
    @classmethod
    def _safe_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None:
            check_key_set_url(url, plain_allowed=info.data.get("jwks_http") == "on")
        return url

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """Normalises the origins, and drops duplicates."""
        return tuple(dict.fromkeys(map(canonical_origin, given)))

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for text in given:
            parse_network(text)
        return given

    @property
    def external_identity(self) -> bool:
        """Whether an existing system signs all tokens: then the server has no accounts and no key of its own."""
        return any(key is not None for key in (self.jwt_secret, self.jwt_public_key, self.jwks_url))

    @property
    def address(self) -> str:
        """The server's URL by host and port; one of IPv6 stands in brackets (RFC 3986 §3.2.2)."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def flag(field: str) -> str:
    """The flag of a setting on the command line: `redis_url` → `--redis-url`."""
    return "--" + field.replace("_", "-")


def variable(field: str) -> str:
    """The environment variable of a setting: `redis_url` → `SSECHAT_REDIS_URL`."""
    return ENVIRONMENT_PREFIX + field.upper()


def load_settings(flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Loads the settings: from the command line, else the environment, else the defaults.

    `flags` holds the fields given on the command line; a value of None counts as not given.

    Raises:
        SettingsError: a value is not valid; the message names the flag or variable that it came from.
    """
    given: dict[str, Any] = {}
    source: dict[str, str] = {}
    for name in Settings.model_fields:
        if flags.get(name) is not None:
            given[name], source[name] = flags[name], flag(name)
        elif environment.get(variable(name), "") != "":
            given[name], source[name] = environment[variable(name)], variable(name)
    for name, value in given.items():
        if value == "" and name not in LISTS:
            raise SettingsError(f"{source[name]}: this is empty: give a value, or leave it out")
        if isinstance(value, str) and not is_utf8(value):
            raise SettingsError(f"{source[name]}: this is not UTF-8 text")
    for name in LISTS & given.keys():
        if isinstance(given[name], str):
            given[name] = tuple(part.strip() for part in given[name].split(",") if part.strip())
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        field = Settings.model_fields.get(name)
        value = given.get(name)
        written = ",".join(value) if isinstance(value, tuple) else value
        shown = f" (given: {written!r})" if field is not None and field.repr else ""
        raise SettingsError(f"{source.get(name, name)}: {sentence(first)}{shown}") from None
