"""The three standard streams, as whoever started us left them: a terminal, a pipe, a full disk, or closed."""

import contextlib
import os
import sys

from ssechat.errors import SettingsError


def open_closed() -> None:
    """Give each standard stream that was closed (`<&-`, `>&-`) the null device.

    Otherwise the next socket or file to be opened takes its number, and whatever a child writes to its standard error
    ends up in there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, and all below it are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115 – open to the end


def escape_what_cannot_be_shown() -> None:
    """A terminal that can't show a character gets its number."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def read_input() -> str:
    """All of standard input, without the newline that ends it.

    Raises:
        SettingsError: it is closed, no text, or cannot be read.
    """
    if sys.stdin is None:
        raise SettingsError("standard input is closed: there is no text to send")
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise SettingsError("standard input is not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"standard input cannot be read ({error.strerror})") from None


def give_up_output() -> None:
    """Drop what cannot be written, so that the flush at exit does not complain as well."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
