"""Standard input, output and error, which may be a terminal, a pipe, a file on a full disk, or closed."""

import contextlib
import os
import sys
from collections.abc import Iterator

import click

from ssechat.errors import ChatError, SettingsError
from ssechat.texts.printable import indented, without_passwords

# Bytes; no server takes a longer text.
MOST_INPUT = 16 << 20


def open_closed_streams() -> None:
    """Opens the null device for each standard stream that was closed (`<&-`, `>&-`).

    Otherwise the next socket or file would get its descriptor, and a child process would write its errors there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # open() returns the lowest free descriptor: `number`, for all below it are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115 – open to the end


def escape_unencodable() -> None:
    """Has output escape the characters that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def note(text: str) -> None:
    """Prints a sentence for the user to standard error."""
    click.echo(indented(without_passwords(text)), err=True)


@contextlib.contextmanager
def reporting(done: str) -> Iterator[None]:
    """For the output of a command that has done something, which must not look undone: it would be done again.

    Raises:
        ChatError: the output cannot be written; it says what is `done`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ChatError(f"{done}, but that cannot be printed ({error.strerror})") from None


def is_asked() -> bool:
    """Whether a person sits at standard input and can answer a question."""
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except (OSError, ValueError):
        return False


def read_input() -> str:
    """Reads all of standard input, without its last newline.

    Raises:
        SettingsError: standard input is closed, is not UTF-8, cannot be read, or has more than `MOST_INPUT` bytes.
    """
    if sys.stdin is None:
        raise SettingsError("standard input is closed: there is nothing to read")
    try:
        read = sys.stdin.buffer.read(MOST_INPUT + 1)
        if len(read) > MOST_INPUT:
            raise SettingsError(f"standard input has more than {MOST_INPUT >> 20} MiB: that is no text for a message")
        return read.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise SettingsError("standard input is not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"standard input cannot be read ({error.strerror})") from None


def flush_or_discard() -> None:
    """Flushes the output. What cannot be written is discarded, so that the flush at exit prints no second error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
