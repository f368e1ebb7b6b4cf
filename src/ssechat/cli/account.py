"""Who runs a command: the user's token, and the client that sends it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.running import Run, running
from ssechat.errors import SettingsError
from ssechat.settings import Settings, load_settings

if TYPE_CHECKING:
    from ssechat.client import Client
    from ssechat.client.errors import Doubt

# The lifetime of a token that --user mints for one connection: a leaked one is soon worthless.
TOKEN_LIFETIME = timedelta(hours=1)


@contextmanager
def connect(
    account: dict[str, Any],
    timeout: float = 30.0,
    *,
    admin: str | None = None,
    may_be_stranger: bool = False,
    note: Callable[[str], None] | None = None,
) -> Iterator[tuple["Client", Run]]:
    """A client for the options of an account, with notes on standard error, and what runs its calls.

    `timeout` is in seconds. `admin` is the admin token, which then counts alone. `may_be_stranger`: the options need
    name nobody. `note` takes the notes in place of standard error.

    Raises:
        click.UsageError: the options name no user, or two.
        SettingsError: the server's address or the key cannot be used.
    """
    from ssechat import client
    from ssechat.client.address import server_address

    server = account.pop("server")
    named = click.get_current_context().get_parameter_source("server") is not click.core.ParameterSource.DEFAULT
    forget_token_of_another_server(server, account)
    credential = optional_credential(**account) if admin is None else lambda: admin
    if credential is None and not may_be_stranger:
        raise click.UsageError("no user: give --user NAME on the server's own machine, or --token elsewhere")
    try:
        server_address(server)
    except SettingsError as error:
        raise SettingsError(f"--server: {error}") from None
    note = note or (stdio.note if named else _Notes())
    chat = client.Client(server, credential, stranger=credential is None, note=note, patience=timeout)
    with running() as run:
        try:
            yield chat, run
        except client.NotConfirmed as error:
            raise client.ClientError(f"{error.reason}. {_advice(error.doubt, error.client_msg_id)}".strip()) from None
        except KeyboardInterrupt:
            if chat.in_doubt is not None:
                stdio.note(_advice(*chat.in_doubt))
            raise
        finally:
            run(chat.aclose())


class _Notes:
    """Prints notes, and below the first one what to do if the server is not where it is by default."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, text: str) -> None:
        stdio.note(text)
        if not self._said and text.startswith("cannot reach"):
            self._said = True
            stdio.note("If the server is at another address, give it with --server, or in SSECHAT_SERVER.")


def _advice(doubt: "Doubt", id: str) -> str:
    """What to do about a command that may have been met."""
    from ssechat.client.errors import Doubt

    return {
        Doubt.NOTHING: "",
        Doubt.MESSAGE: "The message may have been sent: to retry without sending it twice, add --client-msg-id {id}",
        Doubt.GROUP: "The group may have been made: to retry without making it twice, add --client-msg-id {id}",
        Doubt.CHANGE: "It may have been done; the same command again does no harm",
        Doubt.EVENT: "The event may have been published: to retry without publishing it twice, add --id {id}",
        Doubt.INVITE: "The invitation may have been made: `ssechat group invites` lists those there are",
    }[doubt].format(id=id)


def is_another_server(server: str) -> bool:
    """Whether the server in the environment is another one: what else is in the environment is for that."""
    return os.environ.get("SSECHAT_SERVER", server).rstrip("/") != server.rstrip("/")


def forget_token_of_another_server(server: str, account: dict[str, Any]) -> None:
    """A token in the environment is for the server in the environment, and for no other one."""
    given = click.get_current_context().get_parameter_source("token")
    if account["token"] is not None and given is click.core.ParameterSource.ENVIRONMENT and is_another_server(server):
        account["token"] = None
        stdio.note("The token in SSECHAT_TOKEN is for the server in SSECHAT_SERVER: it is not sent here")


def mint(settings: Settings, user: str, lifetime: timedelta, create: bool) -> str:
    """Returns a token that the server's key signs."""
    from ssechat.identity.tokens import Tokens

    return Tokens.from_settings(settings).mint(user, lifetime, creates_user=create)


def optional_credential(
    *, user: str | None, token: str | None, create: bool, data: str | None, key_file: str | None
) -> Callable[[], str] | None:
    """Returns what gives the bearer token of a request: minted for --user, else the --token; None without either."""
    given = click.get_current_context().get_parameter_source("token")
    if user is not None:
        if given is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--user and --token both name the user: give only one of them")
        settings = load_settings({"data": data, "key_file": key_file})
        return lambda: mint(settings, user, TOKEN_LIFETIME, create)
    if create:
        raise click.UsageError("--create needs --user: it creates a user of that name")
    return None if token is None else lambda: token
