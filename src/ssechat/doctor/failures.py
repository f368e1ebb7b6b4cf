"""Why there was no answer, as a sentence."""

import os
import re
import ssl

import httpx

from ssechat.outward import causes
from ssechat.problem_details import shortened


class NoAnswer(Exception):
    """A request was not answered; the text says why."""


class CannotExamine(Exception):
    """There is nothing to examine; the text says why."""


def reason(error: BaseException) -> str:
    """Says why a connection or a request failed."""
    if is_timeout(error):
        return "it took too long"
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted: {shortened(cause.verify_message)}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {shortened((cause.reason or str(cause)).replace('_', ' ').lower())}"
        if isinstance(cause, OSError) and (number := _number(cause)) > 0:
            return os.strerror(number)
        if isinstance(cause, OSError) and cause.strerror:
            return shortened(cause.strerror)
    if any(isinstance(cause, EOFError | httpx.RemoteProtocolError) for cause in causes(error)):
        return "the connection was closed, or what came is not HTTP"
    return shortened(str(error)) or type(error).__name__


def _number(error: OSError) -> int:
    """The system's number of an error; of several, asyncio has them in its text alone."""
    found = re.search(r"\[Errno (\d+)\]", str(error))
    return error.errno or (int(found[1]) if found else 0)


def is_timeout(error: BaseException) -> bool:
    """Whether time was up. (The kernel's time-out for connections counts, too.)"""
    return any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes(error))
