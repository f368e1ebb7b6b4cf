"""The commands of `ssechat group` for invitations."""

import json
import re
from typing import Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.objects import show_all, show_one
from ssechat.cli.options import Text, client_options, timeout_option
from ssechat.errors import SettingsError

# Seconds.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_LIFETIME = 30 * 86_400
MOST_USES = 1000

# In a secret, or in a link that has one; browsers write the colon as %3A.
_SECRET = re.compile(r"g(?::|%3[Aa])([a-z2-7]{26}\.[A-Za-z0-9_-]+)")


@click.command()
@click.argument("group", type=Text())
@client_options
@timeout_option
@click.option(
    "--expires",
    type=Text(),
    metavar="TIME",
    help="How long it is valid: 30m, 12h, 7d, at most 30d.  [default 7d]",
)
@click.option(
    "--uses", type=click.IntRange(1, MOST_USES), metavar="N", help="How many may join with it; by default any number."
)
def invite(group: str, expires: str | None, uses: int | None, timeout: float, as_json: bool, **account: Any) -> None:
    """Make an invitation, and print its secret.

    Whoever has the secret can join. It is shown this once. Owners and admins invite.

    \b
    ssechat group invite --user alice lunch
    ssechat group invite --user alice lunch --expires 12h --uses 1
    """
    from ssechat.cli.places import Places
    from ssechat.cli.terminal import invite_line
    from ssechat.texts.printable import one_line

    expires_in = None if expires is None else lifetime(expires)
    page = str(account["server"]).rstrip("/")
    with connect(account, timeout) as (client, run):
        place = Places(client, run).group(group)
        made = run(client.groups.invite(place, expires_in=expires_in, max_uses=uses)).raw
    with stdio.reporting("an invitation was made"):
        click.echo(json.dumps(made) if as_json else one_line(str(made.get("secret"))))
    if not as_json:
        stdio.note(f"{invite_line(made)}; to join: ssechat group join, or open {page}/#join=SECRET")


@click.command()
@click.argument("group", type=Text())
@client_options
@timeout_option
def invites(group: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Print a group's invitations, without their secrets.

    Owners and admins see them.

    \b
    ssechat group invites --user alice lunch
    """
    from ssechat.cli.places import Places
    from ssechat.cli.terminal import invite_line

    with connect(account, timeout) as (client, run):
        show_all(run(client.groups.invites(Places(client, run).group(group))), invite_line, as_json=as_json)


@click.command()
@click.argument("group", type=Text())
@click.argument("invite_id", type=Text(), metavar="INVITE")
@client_options
@timeout_option
def revoke(group: str, invite_id: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Take an invitation back.

    INVITE is its id, which `ssechat group invites` prints. Owners and admins revoke.

    \b
    ssechat group revoke --user alice lunch 2x7q
    """
    from ssechat.cli.places import Places

    with connect(account, timeout) as (client, run):
        run(client.groups.revoke(Places(client, run).group(group), invite_id))
    if not as_json:
        with stdio.reporting("the invitation was revoked"):
            click.echo("nobody can join with this invitation now")


@click.command()
@click.argument("secret", type=Text(), required=False)
@client_options
@timeout_option
def join(secret: str | None, timeout: float, as_json: bool, **account: Any) -> None:
    """Join a group with an invitation's SECRET.

    A link that has the secret will do. Without SECRET, or with -, it is asked for, or read from standard input: other
    users of this machine can see what stands on a command line.

    \b
    ssechat group join --user dave
    ssechat group join --user dave < secret.txt
    """
    from ssechat.cli.terminal import group_line

    given = _asked() if secret in (None, "-") else str(secret)
    found = _SECRET.search(given)
    if found is None:
        raise SettingsError("SECRET: this is not the secret of an invitation; it begins with g:")
    with connect(account, timeout) as (client, run):
        joined = run(client.groups.join(f"g:{found[1]}")).raw
    with stdio.reporting("you have joined the group"):
        show_one(joined, group_line, as_json=as_json)


def _asked() -> str:
    if stdio.is_asked():
        return str(click.prompt("The invitation's secret", hide_input=True, err=True))
    return stdio.read_input()


def lifetime(text: str) -> int:
    """The seconds of a lifetime such as `90s`, `30m`, `12h` or `7d`.

    Raises:
        SettingsError: it has another form, or is too long.
    """
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST_LIFETIME:
        raise SettingsError("--expires: give a time such as 30m, 12h or 7d, and at most 30d")
    return seconds
