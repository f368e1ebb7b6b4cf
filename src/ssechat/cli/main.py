"""The command line: `ssechat serve`, `token`, `send` and `listen`."""

import asyncio
import contextlib
import json
import logging
import math
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import click

from ssechat import __version__
from ssechat.cli import stdio
from ssechat.errors import ChatError, SettingsError
from ssechat.settings import LEAST_DAYS, Settings, flag, load_settings, variable
from ssechat.texts.characters import is_utf8, shows_nothing

# A token made for one connection: long enough for a slow start, short enough to be worthless in a log.
MINTED_FOR = timedelta(hours=1)

# Seconds: as long as the server remembers a client_msg_id, so as long as a repeat is safe.
LONGEST_PATIENCE = 7 * 86_400

# Characters; what is longer quotes something absurd.
LONGEST_ERROR = 2000

# Events about the stream itself, as listen tells them on stderr.
NOTES: dict[str, Callable[[dict[str, Any]], str]] = {
    "hello": lambda data: f"listening as {data.get('user')} …",
    "caught_up": lambda data: "",
    "bye": lambda data: f"the server ends this stream ({data.get('reason')})",
}


class Text(click.types.StringParamType):
    """Text that can be sent: arguments and variables may hold bytes that are no UTF-8."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        if not is_utf8(str(value)):
            self.fail("this is not UTF-8 text", param, ctx)
        return str(value)


class Id(Text):
    """Text that is not empty: a script's variable that is not set must not make another message of a repeat."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        text = super().convert(value, param, ctx)
        if not text:
            self.fail("this is empty: give a value, or leave it out", param, ctx)
        return text


class Number(click.FloatRange):
    """A number in a range; unlike click's, which lets "nan" through."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("nan is not a number", param, ctx)
        return number


class QuietHelp(click.Group):
    """Commands in the order in which a person meets them, not in the alphabet's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of their definition."""
        return list(self.commands)


@click.group(cls=QuietHelp, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ssechat", message="%(prog)s %(version)s")
def commands() -> None:
    """A chat server that speaks plain HTTP.

    \b
    ssechat serve                      start it; then open http://127.0.0.1:8000
    ssechat listen --user bob          show what bob gets, as it comes
    ssechat send --user alice bob hi   send as alice to bob
    ssechat token alice                a token, for curl and programs
    """


def setting_option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The click option of one setting: its flag, help, default and variable are the setting's own."""
    field = Settings.model_fields[name]
    known = [f"env {variable(name)}"]
    # A user without a home folder has no default data folder, and no less help.
    with contextlib.suppress(SettingsError):
        default = field.get_default(call_default_factory=True, validated_data={})
        if default not in (None, ()):
            known.append(f"default {','.join(default) if isinstance(default, tuple) else default}")
    return click.option(
        flag(name),
        name,
        type=Text(),
        metavar=_metavar(field.annotation),
        help=f"{field.description}  [{'; '.join(known)}]",
    )


def _metavar(annotation: Any) -> str:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not type(None))
    if typing.get_origin(annotation) is Literal:
        return "|".join(typing.get_args(annotation))
    return {int: "N", float: "N", Path: "PATH"}.get(annotation, "TEXT")


def setting_options(names: Iterable[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The click options of some settings, in their order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(list(names)):
            function = setting_option(name)(function)
        return function

    return decorate


def client_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of the commands that talk to a server."""
    options = (
        click.option(
            "--server",
            type=Text(),
            envvar="SSECHAT_SERVER",
            default="http://127.0.0.1:8000",
            metavar="URL",
            help="The server's address.  [env SSECHAT_SERVER; default http://127.0.0.1:8000]",
        ),
        click.option(
            "--user",
            type=Text(),
            metavar="NAME",
            help="Who you are, on the server's own machine: uses the data folder's key.",
        ),
        click.option(
            "--token",
            type=Text(),
            envvar="SSECHAT_TOKEN",
            metavar="TOKEN",
            help="Who you are, elsewhere: from `ssechat token` or POST /v1/session.  [env SSECHAT_TOKEN]",
        ),
        click.option("--create", is_flag=True, help="Make the user of --user, if there is none yet."),
        setting_options(("data", "key_file")),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@commands.command()
@setting_options(Settings.model_fields)
def serve(**flags: str | None) -> None:
    """Start the server, with a Redis of its own unless --redis-url is given.

    \b
    ssechat serve
    ssechat serve --host 0.0.0.0 --port 80 --data /var/lib/ssechat
    ssechat serve --redis-url redis://:password@10.0.0.5:6379/0 --key-file /etc/ssechat.key

    Ctrl-C or SIGTERM stops it, SIGHUP replaces its workers one by one.
    """
    from ssechat.server.supervisor import Supervisor, print_line
    from ssechat.telemetry.logging import configure_logging

    settings = load_settings(flags)
    configure_logging(settings.log_level, settings.log_format)
    # Who reads JSON reads it from a container's two outputs as one.
    say = print_line if settings.log_format == "text" else logging.getLogger("ssechat").info
    asyncio.run(Supervisor(settings, say=say).run())


@commands.command()
@click.argument("user", type=Text())
@setting_options(("data", "key_file", "redis_url"))
@click.option("--create", is_flag=True, help="Let the token make the user, if there is none yet.")
@click.option(
    "--days",
    type=Number(LEAST_DAYS, 3650),
    metavar="N",
    help="Days that it is valid; by default as many as a sign-in lasts.",
)
def token(user: str, days: float | None, create: bool, **flags: str | None) -> None:
    """Print a token for USER, made with the server's key.

    USER must exist, or be made with --create. Where the server's Redis cannot be asked, the token is printed all the
    same, and counts as soon as there is such a user.

    \b
    curl -N -H "Authorization: Bearer $(ssechat token bob)" http://127.0.0.1:8000/v1/events
    """
    settings = load_settings(flags)
    minted = _mint(settings, user, timedelta(days=settings.session_days if days is None else days), create)
    if not create:
        _check_known(settings, user)
    click.echo(minted)


@commands.command()
@click.argument("to", type=Text())
@click.argument("text", type=Text())
@client_options
@click.option(
    "--timeout",
    type=Number(0, LONGEST_PATIENCE, min_open=True),
    default=30.0,
    metavar="SECONDS",
    help="How long to try while the server is away.  [default 30]",
)
@click.option(
    "--client-msg-id", type=Id(), metavar="ID", help="Repeat an earlier send: the same ID is never sent twice."
)
def send(to: str, text: str, timeout: float, client_msg_id: str | None, as_json: bool, **who: Any) -> None:
    """Send TEXT to TO: a user, or a conversation's id. A TEXT of - is read from standard input.

    \b
    ssechat send --user alice bob "hi there"
    uptime | ssechat send --user alice g:ops -
    """
    from ssechat.cli.terminal import message_line
    from ssechat.client import Client

    said = stdio.read_input() if text == "-" else text
    if shows_nothing(said):
        raise SettingsError("TEXT: there is nothing to see in this text; write something")
    with Client(who["server"], _credential(**who), note=_note) as client:
        message = client.send(to, said, client_msg_id=client_msg_id, patience=timeout)
    try:
        click.echo(json.dumps(message) if as_json else message_line(message))
    except BrokenPipeError:
        raise
    except OSError as error:  # whoever took this for a failure would send it again
        raise ChatError(f"the message was sent, but cannot be shown ({error.strerror})") from None


@commands.command()
@client_options
@click.option("--since", type=Id(), metavar="ID", help="Start after this event's id; 0-0 for all that the server has.")
def listen(since: str | None, as_json: bool, **who: Any) -> None:
    """Print events as they come, one a line, until Ctrl-C. Reconnects by itself and misses nothing.

    \b
    ssechat listen --user bob
    ssechat listen --user bob --json --since 0-0 | jq .data.text
    """
    from ssechat.cli.terminal import event_line
    from ssechat.client import Client, Event

    def show(event: Event) -> None:
        if event.name == "ping":
            return
        if as_json:
            click.echo(json.dumps({"event": event.name, "id": event.id or None, "data": event.data}))
        elif event.name in NOTES:
            note = NOTES[event.name](event.data if isinstance(event.data, dict) else {})
            if note:
                _note(note)
        else:
            click.echo(event_line(event.name, event.data))

    if since is not None and not (since.isascii() and since.isprintable()):
        raise SettingsError("--since: that is not the id of an event")
    with Client(who["server"], _credential(**who), note=_note) as client:
        for event in client.listen(since):
            show(event)


def _credential(
    *, server: str, user: str | None, token: str | None, create: bool, data: str | None, key_file: str | None
) -> Callable[[], str]:
    """What gives the bearer token for each request: one minted for --user, else the --token."""
    given = click.get_current_context().get_parameter_source("token")
    if user is not None:
        if given is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--user and --token both say who you are: give one of them")
        settings = load_settings({"data": data, "key_file": key_file})
        return lambda: _mint(settings, user, MINTED_FOR, create)
    if create:
        raise click.UsageError("--create goes with --user: it makes a user of that name")
    if token is not None:
        return lambda: token
    raise click.UsageError("who are you? Give --user NAME on the server's own machine, or --token elsewhere")


def _mint(settings: Settings, user: str, lifetime: timedelta, create: bool) -> str:
    from ssechat.identity.tokens import Tokens

    return Tokens.from_settings(settings).mint(user, lifetime, makes_user=create)


def _check_known(settings: Settings, name: str) -> None:
    """Says so if there is no such user, or if that cannot be asked.

    Raises:
        ChatError: there is none.
    """
    from ssechat.ids import user_id
    from ssechat.redis.embedded import EmbeddedRedis
    from ssechat.redis.lookup import user_exists

    user = user_id(name)
    if settings.external_identity or user is None:  # any user of the existing system's exists
        return
    known = user_exists(settings.redis_url or EmbeddedRedis(settings.data / "redis").url, user)
    if known is False:
        raise ChatError(f"there is no user {user!r}: sign up first, or add --create to make one")
    if known is None:
        _note(f"The server's Redis cannot be asked whether there is a user {user!r}; the token needs one")


def _note(text: str) -> None:
    from ssechat.texts.printable import indented, without_passwords

    click.echo(indented(without_passwords(text)), err=True)


@contextlib.contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn what goes wrong into a line on stderr and an exit code: 2 for a wrong request, else 1."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "ssechat"
        _fail(f"{error.format_message().rstrip('.')} (see {command} --help)", 2)
    except SettingsError as error:
        _fail(str(error), 2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone.
        sys.exit(1)
    except ChatError as error:
        _fail(str(error), 1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{where}", 1)


def _fail(text: str, code: int) -> typing.NoReturn:
    shown = text if len(text) <= LONGEST_ERROR else text[:LONGEST_ERROR] + "…"
    with contextlib.suppress(OSError):
        _note(f"ssechat: {shown}")
    sys.exit(code)


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns the exit code, or leaves with SystemExit."""
    stdio.open_closed()
    stdio.escape_what_cannot_be_shown()
    try:
        with _said_plainly():
            result = commands.main(arguments, prog_name="ssechat", standalone_mode=False)
            return result if isinstance(result, int) else 0
    finally:
        stdio.give_up_output()
