"""Checks the URL of a Redis strictly, so that redis-py reads it as it was meant; no error quotes its password."""

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ssechat.errors import SettingsError

SCHEMES = ("redis", "rediss", "unix")

OPTIONS = {
    "db": r"\d{1,9}",
    "username": r".+",
    "password": r".+",
}
"""The options that a URL may have, and the pattern of their values. redis-py would take others, such as time-outs,
which the server sets itself."""

TLS_OPTIONS = {
    "ssl_ca_certs": r".+",
    "ssl_ca_path": r".+",
    "ssl_certfile": r".+",
    "ssl_keyfile": r".+",
    "ssl_password": r".+",
    "ssl_cert_reqs": r"none|optional|required",
    "ssl_check_hostname": r"(?i:true|false|yes|no|1|0)",
}
"""The same, for rediss:// only."""

FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

SHAPE = "redis://user:password@host:port/0"
ENCODE = "In a user's name and a password, write / ? # @ : % and what is not ASCII as percent and two digits (%2F …)"


def check_url(url: str) -> SplitResult:
    """The URL's parts, if it is one that can be used.

    Raises:
        SettingsError: it is not; the text quotes nothing of it but the names of options.
    """
    if not url.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        raise _wrong("it begins with redis://, rediss:// (TLS) or unix:// (the path of a socket)")
    if not url.isprintable() or " " in url:  # urlsplit would leave some of these out
        raise _wrong(f"there is a space or a control character in it. {ENCODE}")
    try:
        parts = urlsplit(url)
        port = parts.port
        for text in (parts.username or "", parts.password or "", parts.hostname or "", parts.path):
            unquote(text, errors="strict").encode()
        unquote(parts.hostname or "").encode("idna")
    except ValueError:  # the text would quote what it is about
        raise _wrong(f"it has another shape than {SHAPE}. {ENCODE}") from None
    if parts.fragment or url.endswith("#"):
        raise _wrong(f"there is a # in it. {ENCODE}")
    if parts.scheme == "unix":
        _check_socket(parts)
    else:
        if "@" in parts.path + parts.query:
            raise _wrong(f"there is a / or a ? in front of an @. {ENCODE}")
        if port == 0:
            raise _wrong("no server listens on port 0")
        if not re.fullmatch(r"/?|/\d{1,9}", parts.path):
            raise _wrong(f"behind the host there may be the number of a database and nothing else: {SHAPE}")
    _check_options(parts)
    return parts


def shown_url(url: str) -> str:
    """The URL without its user, password and query, fit for a log."""
    parts = urlsplit(url)
    if not parts.netloc:
        return f"{parts.scheme}://{parts.path}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def user_of(url: str) -> str:
    """The user name that Redis knows us by. It is shown only after a log-in: before, it may be a mistyped password."""
    parts = check_url(url)
    name = unquote(parts.username or "") or options_of(parts).get("username", "") or "default"
    return name if re.fullmatch(r"[\w.@+-]{1,64}", name) else "…"


def options_of(parts: SplitResult) -> dict[str, str]:
    """The options of the query."""
    return dict(parse_qsl(parts.query, keep_blank_values=True))


def _check_socket(parts: SplitResult) -> None:
    if parts.netloc.rpartition("@")[2] or (parts.netloc and "@" not in parts.netloc):
        raise _wrong("a socket's path begins with a third slash: unix:///run/redis.sock")
    if len(parts.path) < 2:
        raise _wrong("the path of the socket is missing: unix:///run/redis.sock")
    if "\0" in unquote(parts.path):
        raise _wrong("no path has a zero byte in it")


def _check_options(parts: SplitResult) -> None:
    if not parts.query:
        return
    try:
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise _wrong("behind the ? there are no options of the form name=value") from None
    allowed = OPTIONS | (TLS_OPTIONS if parts.scheme == "rediss" else {})
    for name, value in given:
        if name in TLS_OPTIONS and name not in allowed:
            raise _wrong(f"the option {name} needs TLS: rediss://")
        if name not in allowed:
            # An unknown name may be a password's end.
            shown = f" ({name})" if re.fullmatch(r"[a-z_]{1,40}", name) and parts.scheme != "unix" else ""
            raise _wrong(f"there is an option in it that is not one of these: {', '.join(allowed)}{shown}")
        if not re.fullmatch(allowed[name], value):
            raise _wrong(f"the option {name} cannot have this value")
    if len({name for name, _ in given}) < len(given):
        raise _wrong("an option is given twice")
    database = dict(given).get("db")
    if database is not None and parts.scheme != "unix" and parts.path.strip("/") not in ("", database):
        raise _wrong("it names two databases, one behind the host and one as db=")


def _wrong(why: str) -> SettingsError:
    return SettingsError(f"--redis-url: {why}")
