"""The command line: the program's commands, its errors and exit codes; and `ssechat serve` and `token`."""

import asyncio
import contextlib
import logging
import sys
import typing
from collections.abc import Iterator
from datetime import timedelta

import click

from ssechat import __version__
from ssechat.cli import stdio
from ssechat.cli.account import mint
from ssechat.cli.blocks import block, blocks, unblock
from ssechat.cli.doctor import doctor
from ssechat.cli.feed_demo import demo
from ssechat.cli.feeds import feed
from ssechat.cli.groups import group
from ssechat.cli.keys import key
from ssechat.cli.listening import listen
from ssechat.cli.messages import delete, edit, react, send
from ssechat.cli.options import Number, OrderedGroup, Text, setting_options
from ssechat.cli.people import password, profile, sessions, users
from ssechat.cli.presence import presence
from ssechat.cli.size import size
from ssechat.cli.unread import list_conversations, mute, read, receipts
from ssechat.errors import ChatError, SettingsError
from ssechat.settings import MIN_SESSION_DAYS, Settings, load_settings

# Characters of an error; longer ones quote a very long value.
MAX_ERROR_LENGTH = 2000


@click.group(cls=OrderedGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ssechat", message="%(prog)s %(version)s")
def commands() -> None:
    """A chat server that speaks plain HTTP.

    \b
    ssechat serve                      start it; then open http://127.0.0.1:8000
    ssechat listen --user bob          print bob's events as they arrive
    ssechat send --user alice bob hi   send "hi" from alice to bob
    ssechat list --user alice          alice's conversations, and what is unread
    ssechat group make --user alice Lunch bob carol
    ssechat feed listen scores         print what is published in a feed
    ssechat token alice                print a token, for curl and programs
    ssechat key rotate                 replace the key that signs the tokens
    ssechat doctor URL                 check from outside what stands at this address
    ssechat size                       how many machines a plan needs
    """


@commands.command()
@setting_options(Settings.model_fields)
def serve(**flags: str | None) -> None:
    """Start the server, with its own Redis unless --redis-url is given.

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
    minted = mint(settings, user, timedelta(days=settings.session_days if days is None else days), create)
    if not create:
        _check_user_exists(settings, user)
    click.echo(minted)


for command in (
    *(send, list_conversations, read, mute, receipts, listen, edit, delete, react, group),
    *(presence, block, unblock, blocks, profile, users, password, sessions, feed, key, doctor, size),
):
    commands.add_command(command)
feed.add_command(demo)


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
        stdio.note(f"The server's Redis cannot be reached to check that user {user!r} exists; the token needs one")


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
    except UnicodeDecodeError:
        _fail("what was typed, or read, is no text in this terminal's encoding", 2)
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
        stdio.note(f"ssechat: {shown}")
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
