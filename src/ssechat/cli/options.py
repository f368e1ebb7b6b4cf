"""The options of the commands: types of parameters, and the flags of the settings and of the client commands."""

import contextlib
import math
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import click

from ssechat.errors import SettingsError
from ssechat.settings import Settings, flag, variable
from ssechat.texts.characters import is_utf8

# Seconds: the server stores a client_msg_id for so long, and a later retry could send the message twice.
MAX_TIMEOUT = 7 * 86_400


class OrderedGroup(click.Group):
    """A group whose help lists its commands in the order of their definition."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names in the order of their definition."""
        return list(self.commands)


class Text(click.types.StringParamType):
    """A text parameter that must be UTF-8: arguments and environment variables may hold other bytes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the text as it is."""
        if not is_utf8(str(value)):
            self.fail("this is not UTF-8 text", param, ctx)
        return str(value)


class Id(Text):
    """A text parameter that must not be empty: an unset variable in a script would turn a retry into a new message."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the text as it is."""
        text = super().convert(value, param, ctx)
        if not text:
            self.fail("this is empty: give a value, or leave it out", param, ctx)
        return text


class Number(click.FloatRange):
    """A number in a range. Unlike click's type it refuses "nan"."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("nan is not a number", param, ctx)
        return number


class Seq(click.IntRange):
    """The number of a message, also as it is printed: `#7`."""

    name = "seq"

    def __init__(self) -> None:
        super().__init__(1, 2**53 - 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Returns the number."""
        text = str(value).removeprefix("#")
        if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) > 0):
            self.fail(f"{value!r} is not the number of a message: give the one behind the #", param, ctx)
        return int(text)


def setting_option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The click option of a setting, with its flag, help text, default and environment variable."""
    field = Settings.model_fields[name]
    hints = [f"env {variable(name)}"]
    # A user without a home folder has no default data folder; --help must work all the same.
    with contextlib.suppress(SettingsError):
        default = field.get_default(call_default_factory=True, validated_data={})
        if default not in (None, ()):
            hints.append(f"default {','.join(default) if isinstance(default, tuple) else default}")
    return click.option(
        flag(name),
        name,
        type=Text(),
        metavar=_metavar(field.annotation),
        help=f"{field.description}  [{'; '.join(hints)}]",
    )


def _metavar(annotation: Any) -> str:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not type(None))
    if typing.get_origin(annotation) is Literal:
        return "|".join(typing.get_args(annotation))
    return {int: "N", float: "N", Path: "PATH"}.get(annotation, "TEXT")


def setting_options(names: Iterable[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The click options of several settings, in the given order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(list(names)):
            function = setting_option(name)(function)
        return function

    return decorate


def timeout_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the option how long to retry."""
    return click.option(
        "--timeout",
        type=Number(0, MAX_TIMEOUT, min_open=True),
        default=30.0,
        metavar="SECONDS",
        help="How long to retry while the server cannot be reached.  [default 30]",
    )(function)


def id_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the option that makes a command repeatable."""
    return click.option(
        "--client-msg-id",
        type=Id(),
        metavar="ID",
        help="Idempotency key: the same command again with the same ID never does it twice.",
    )(function)


def client_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that the client commands share."""
    return click.option(
        "--server",
        type=Text(),
        envvar="SSECHAT_SERVER",
        default="http://127.0.0.1:8000",
        metavar="URL",
        help="The server's address.  [env SSECHAT_SERVER; default http://127.0.0.1:8000]",
    )(account_options(function))


def account_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say who asks, and how the answer is printed."""
    options = (
        click.option(
            "--user",
            type=Text(),
            metavar="NAME",
            help="Your user name, on the server's own machine: the key in the data folder signs a token for it.",
        ),
        click.option(
            "--token",
            type=Text(),
            envvar="SSECHAT_TOKEN",
            metavar="TOKEN",
            help="Your token, elsewhere: from `ssechat token` or POST /v1/session.  [env SSECHAT_TOKEN]",
        ),
        click.option("--create", is_flag=True, help="Create the user of --user if it does not exist."),
        setting_options(("data", "key_file")),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line."),
    )
    for option in reversed(options):
        function = option(function)
    return function
