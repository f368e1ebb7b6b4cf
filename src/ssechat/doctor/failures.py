"""Why there was no answer, as a sentence."""

import ssl
from collections.abc import Iterator

import httpx

from ssechat.problem_details import shortened


class NoAnswer(Exception):
    """A request was not answered; the text says why."""


class CannotExamine(Exception):
    """There is nothing to examine; the text says why."""


def reason(error: BaseException) -> str:
    """Says why a connection or a request failed."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted: {shortened(cause.verify_message)}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {shortened((cause.reason or str(cause)).replace('_', ' ').lower())}"
        if isinstance(cause, OSError) and not isinstance(cause, TimeoutError) and cause.strerror:
            return shortened(cause.strerror)
    if any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes):
        return "it took too long"
    if any(isinstance(cause, EOFError | httpx.RemoteProtocolError) for cause in causes):
        return "the connection was closed, or what came is not HTTP"
    return shortened(str(error)) or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
