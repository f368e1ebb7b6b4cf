"""Requests to other servers: the certificates and proxies that the environment names, and what is behind an error."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from ssechat.errors import SettingsError

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@contextmanager
def reading_environment() -> Iterator[None]:
    """For the making of an HTTP client, which reads the environment.

    Raises:
        SettingsError: it names certificates or a proxy that cannot be used.
    """
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ({error.strerror or error})"
        ) from None
    except (ValueError, ImportError, httpx.InvalidURL):
        # httpx's message is left out: it can quote the password of a proxy.
        names = [name for name in PROXY_VARIABLES if os.environ.get(name) or os.environ.get(name.lower())]
        raise SettingsError(
            f"the proxy settings in the environment cannot be used ({', '.join(names)}): "
            "give a proxy as http://host:port, or unset them"
        ) from None


def certificates() -> ssl.SSLContext:
    """The certificates that another server's is checked with.

    Raises:
        SettingsError: those that the environment names cannot be read.
    """
    with reading_environment():
        return httpx.create_ssl_context()


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its chain of causes, and of a failure with several ones each."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
        following = cause.__cause__ or cause.__context__
        if following is not None:
            waiting.append(following)
