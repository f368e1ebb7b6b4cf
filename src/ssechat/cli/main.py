"""The command line: `ssechat serve`, `token`, `send` and `listen`."""

import asyncio
import contextlib
import json
import logging
import sys
import typing
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import click

from ssechat import __version__
from ssechat.cli import stdio
from ssechat.cli.options import Id, Number, Text, client_options, setting_options
from ssechat.errors import ChatError, SettingsError
from ssechat.settings import MIN_SESSION_DAYS, Settings, load_settings
from ssechat.texts.characters import is_blank

# The lifetime of a token that --user mints for one connection: a leaked one is soon worthless.
TOKEN_LIFETIME = timedelta(hours=1)

# Seconds: the server stores a client_msg_id for so long, and a later retry could send the message twice.
MAX_TIMEOUT = 7 * 86_400

# Characters of an error; longer ones quote a very long value.
MAX_ERROR_LENGTH = 2000

# Events about the stream itself, which `listen` prints to stderr as sentences.
STREAM_NOTES: dict[str, Callable[[dict[str, Any]], str]] = {
    "hello": lambda data: f"listening as {data.get('user')} …",
    "caught_up": lambda data: "",
    "bye": lambda data: f"the server ends this stream ({data.get('reason')})",
}


class OrderedGroup(click.Group):
    """A group whose help lists its commands in the order of their definition."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names in the order of their definition."""
        return list(self.commands)


@click.group(cls=OrderedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ssechat", message="%(prog)s %(version)s")
def commands() -> None:
    """A chat server that speaks plain HTTP.

    \b
    ssechat serve                      start it; then open http://127.0.0.1:8000
    ssechat listen --user bob          print bob's events as they arrive
    ssechat send --user alice bob hi   send "hi" from alice to bob
    ssechat token alice                print a token, for curl and programs
    """


@commands.command()
@setting_options(Settings.model_fields)
def serve(**flags: str | None) -> None:
    """Start the server, with a Redis of its own unless --redis-url is given.

    \b
    ssechat serve
    ssechat serve --host 0.0.0.0 --port 80 --data /var/lib/ssechat
    ssechat serve --redis-url redis://:password@10.0.0.5:6379/0 --key-file /etc/ssechat.key

    Ctrl-C or SIGTERM stops the server, SIGHUP replaces its workers one by one.
    """
    from ssechat.server.supervisor import Supervisor, print_line
    from ssechat.telemetry.logging import configure_logging

    settings = load_settings(flags)
    configure_logging(settings.log_level, settings.log_format)
    # JSON logs are read from stdout and stderr of a container as one stream.
    say = print_line if settings.log_format == "text" else logging.getLogger("ssechat").info
    asyncio.run(Supervisor(settings, say=say).run())


@commands.command()
@click.argument("user", type=Text())
@setting_options(("data", "key_file", "redis_url"))
@click.option("--create", is_flag=True, help="Have the token create the user if it does not exist.")
@click.option(
    "--days",
    type=Number(MIN_SESSION_DAYS, 3650),
    metavar="N",
    help="Days that the token is valid; by default as many as a sign-in lasts.",
)
def token(user: str, days: float | None, create: bool, **flags: str | None) -> None:
    """Print a token for USER, made with the server's key.

    USER must exist, unless --create is given. If the server's Redis cannot be asked, the token is printed anyway, and
    is valid as soon as the user exists.

    \b
    curl -N -H "Authorization: Bearer $(ssechat token bob)" http://127.0.0.1:8000/v1/events
    """
    settings = load_settings(flags)
    minted = _mint(settings, user, timedelta(days=settings.session_days if days is None else days), create)
    if not create:
        _check_user_exists(settings, user)
    click.echo(minted)


@commands.command()
@click.argument("to", type=Text())
@click.argument("text", type=Text())
@client_options
@click.option(
    "--timeout",
    type=Number(0, MAX_TIMEOUT, min_open=True),
    default=30.0,
    metavar="SECONDS",
    help="How long to retry while the server cannot be reached.  [default 30]",
)
@click.option(
    "--client-msg-id",
    type=Id(),
    metavar="ID",
    help="Idempotency key: repeating a send with the same ID never sends it twice.",
)
def send(to: str, text: str, timeout: float, client_msg_id: str | None, as_json: bool, **credential: Any) -> None:
    """Send TEXT to TO: a user name, or a conversation's id. With - as TEXT, the text is read from standard input.

    \b
    ssechat send --user alice bob "hi there"
    uptime | ssechat send --user alice bob -
    """
    from ssechat.cli.terminal import message_line
    from ssechat.client import Client

    content = stdio.read_input() if text == "-" else text
    if is_blank(content):
        raise SettingsError("TEXT: this text is blank; write something")
    with Client(credential["server"], _credential(**credential), note=_note) as client:
        message = client.send(to, content, client_msg_id=client_msg_id, patience=timeout)
    try:
        click.echo(json.dumps(message) if as_json else message_line(message))
    except BrokenPipeError:
        raise
    except OSError as error:  # the message must not look unsent: the user would send it again
        raise ChatError(f"the message was sent, but cannot be printed ({error.strerror})") from None


@commands.command()
@client_options
@click.option("--since", type=Id(), metavar="ID", help="Start after the event with this id; 0-0 for all stored events.")
def listen(since: str | None, as_json: bool, **credential: Any) -> None:
    """Print events as they arrive, one per line, until Ctrl-C. Reconnects automatically, and misses no event.

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
        elif event.name in STREAM_NOTES:
            note = STREAM_NOTES[event.name](event.data if isinstance(event.data, dict) else {})
            if note:
                _note(note)
        else:
            click.echo(event_line(event.name, event.data))

    if since is not None and not (since.isascii() and since.isprintable()):
        raise SettingsError("--since: this is not the id of an event")
    with Client(credential["server"], _credential(**credential), note=_note) as client:
        for event in client.listen(since):
            show(event)


def _credential(
    *, server: str, user: str | None, token: str | None, create: bool, data: str | None, key_file: str | None
) -> Callable[[], str]:
    """Returns a function that gives the bearer token of a request: minted for --user, else the --token."""
    given = click.get_current_context().get_parameter_source("token")
    if user is not None:
        if given is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--user and --token both name the user: give only one of them")
        settings = load_settings({"data": data, "key_file": key_file})
        return lambda: _mint(settings, user, TOKEN_LIFETIME, create)
    if create:
        raise click.UsageError("--create needs --user: it creates a user of that name")
    if token is not None:
        return lambda: token
    raise click.UsageError("no user: give --user NAME on the server's own machine, or --token elsewhere")


def _mint(settings: Settings, user: str, lifetime: timedelta, create: bool) -> str:
    from ssechat.identity.tokens import Tokens

    return Tokens.from_settings(settings).mint(user, lifetime, creates_user=create)


def _check_user_exists(settings: Settings, name: str) -> None:
    """Prints a note if Redis cannot be asked whether the user exists.

    Raises:
        ChatError: the user does not exist.
    """
    from ssechat.ids import user_id
    from ssechat.redis.embedded import EmbeddedRedis
    from ssechat.redis.lookup import user_exists

    user = user_id(name)
    if settings.external_identity or user is None:  # every user of an existing system exists
        return
    exists = user_exists(settings.redis_url or EmbeddedRedis(settings.data / "redis").url, user)
    if exists is False:
        raise ChatError(f"there is no user {user!r}: sign up first, or add --create to create it")
    if exists is None:
        _note(f"The server's Redis cannot be reached to check that user {user!r} exists; the token needs one")


def _note(text: str) -> None:
    from ssechat.texts.printable import indented, without_passwords

    click.echo(indented(without_passwords(text)), err=True)


@contextlib.contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    """Turns exceptions into a line on stderr and an exit code: 2 for a usage error, 130 for Ctrl-C, else 1."""
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
        # The reader of our output has exited.
        sys.exit(1)
    except ChatError as error:
        _fail(str(error), 1)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{where}", 1)


def _fail(text: str, code: int) -> typing.NoReturn:
    shown = text if len(text) <= MAX_ERROR_LENGTH else text[:MAX_ERROR_LENGTH] + "…"
    with contextlib.suppress(OSError):
        _note(f"ssechat: {shown}")
    sys.exit(code)


def main(arguments: list[str] | None = None) -> int:
    """Runs a command. Returns the exit code, or raises SystemExit."""
    stdio.open_closed_streams()
    stdio.escape_unencodable()
    try:
        with _errors_as_exit_codes():
            result = commands.main(arguments, prog_name="ssechat", standalone_mode=False)
            return result if isinstance(result, int) else 0
    finally:
        stdio.flush_or_discard()
