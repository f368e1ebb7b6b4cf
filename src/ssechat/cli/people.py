"""Commands about people and oneself: `profile`, `users`, `password`, `sessions`."""

from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.objects import show_all, show_one
from ssechat.cli.options import Text, client_options, timeout_option
from ssechat.errors import SettingsError

if TYPE_CHECKING:
    from ssechat.client.people import ProfileFields


@click.command()
@click.option(
    "--name", type=Text(), metavar="TEXT", help="What you are called from now on; empty: only your user name."
)
@click.option("--avatar", type=Text(), metavar="URL", help="A picture of you, https://…; empty: none.")
@click.option("--receipts", type=click.Choice(["on", "off"]), help="Whether others may see what you have read.")
@client_options
@timeout_option
def profile(
    name: str | None, avatar: str | None, receipts: str | None, timeout: float, as_json: bool, **account: Any
) -> None:
    """Print your profile, or change it.

    \b
    ssechat profile --user alice
    ssechat profile --user alice --name "Alice Liddell" --receipts off
    """
    from ssechat.cli.terminal import profile_line

    fields: ProfileFields = {}
    if name is not None:
        fields["display_name"] = name or None
    if avatar is not None:
        fields["avatar_url"] = avatar or None
    if receipts is not None:
        fields["receipts"] = receipts == "on"
    with connect(account, timeout) as (client, run):
        found = run(client.change_profile(**fields) if fields else client.me())
    with stdio.reporting("the profile was changed"):
        show_one(found.raw, profile_line, as_json=as_json)


@click.command()
@click.argument("prefix", type=Text())
@client_options
@timeout_option
def users(prefix: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Print users whose names begin with PREFIX: three letters or more; ten users at most.

    The server must have a directory: `ssechat serve --directory on`.

    \b
    ssechat users --user alice bob
    """
    from ssechat.cli.terminal import user_line

    with connect(account, timeout) as (client, run):
        found = run(client.find_users(prefix))
    none = "No user's name begins so. Who came before the directory is found once he has been there."
    show_all(found, user_line, as_json=as_json, none=none)


@click.command()
@client_options
@timeout_option
def password(timeout: float, as_json: bool, **account: Any) -> None:
    """Change your password, and end all sessions but the one of --token.

    The old password and the new one are asked for, or read from standard input, a line each: other users of this
    machine can see what stands on a command line. A token of `ssechat token` has no session, and stays valid.

    \b
    ssechat password --token "$TOKEN"
    """
    old, new = _passwords()
    with connect(account, timeout) as (client, run):
        run(client.change_password(old, new))
    with stdio.reporting("the password was changed"):
        click.echo("{}" if as_json else "The password was changed; your other sessions have ended.")


def _passwords() -> tuple[str, str]:
    """
    Raises:
        SettingsError: standard input has no two lines.
    """
    if stdio.is_asked():
        old = click.prompt("The old password", hide_input=True, err=True)
        return str(old), str(click.prompt("The new password", hide_input=True, confirmation_prompt=True, err=True))
    lines = stdio.read_input().split("\n")
    if len(lines) != 2:
        raise SettingsError("standard input: give two lines, the old password and the new one")
    return lines[0].removesuffix("\r"), lines[1].removesuffix("\r")


@click.command()
@click.argument("action", type=click.Choice(["end"]), metavar="[end", required=False)
@click.argument("session", type=Text(), metavar="ID]", required=False)
@client_options
@timeout_option
def sessions(action: str | None, session: str | None, timeout: float, as_json: bool, **account: Any) -> None:
    """Print where you are signed in, or end one of those sessions.

    \b
    ssechat sessions --token "$TOKEN"
    ssechat sessions end 9f86d081884c7d659a2feaa0c55ad015 --token "$TOKEN"
    """
    from ssechat.cli.terminal import session_line

    if action is not None:
        if not session:
            raise click.UsageError("end which session? `ssechat sessions` prints their ids")
        with connect(account, timeout) as (client, run):
            run(client.end_session(session))
        with stdio.reporting("the session was ended"):
            click.echo("{}" if as_json else "The session has ended.")
        return
    with connect(account, timeout) as (client, run):
        found = run(client.sessions())
    none = "You have no sessions: only who signs in with a password has."
    show_all(found, session_line, as_json=as_json, none=none)
