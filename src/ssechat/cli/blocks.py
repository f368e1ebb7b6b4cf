"""Commands about who shall not write to one: `block`, `unblock`, `blocks`."""

import json
from typing import Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.objects import show_all
from ssechat.cli.options import Text, client_options, timeout_option
from ssechat.ids import user_id


@click.command()
@click.argument("name", type=Text(), metavar="USER")
@client_options
@timeout_option
def block(name: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Block USER: neither of you can write to the other directly.

    What was written stays, and both can read it. USER cannot add you to groups, and is told nothing of it.

    \b
    ssechat block --user alice mallory
    """
    from ssechat.cli.terminal import block_line

    with connect(account, timeout) as (client, run):
        blocked = run(client.block(name)).raw
    with stdio.reporting("the user was blocked"):
        click.echo(json.dumps(blocked) if as_json else block_line({**blocked, "blocked": True}))


@click.command()
@click.argument("name", type=Text(), metavar="USER")
@client_options
@timeout_option
def unblock(name: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Unblock USER: you can write to each other again, unless USER has blocked you.

    \b
    ssechat unblock --user alice mallory
    """
    from ssechat.cli.terminal import block_line

    with connect(account, timeout) as (client, run):
        run(client.unblock(name))
    with stdio.reporting("the user was unblocked"):
        user = user_id(name) or name
        click.echo(json.dumps({"user": user}) if as_json else block_line({"user": user, "blocked": False}))


@click.command()
@client_options
@timeout_option
def blocks(timeout: float, as_json: bool, **account: Any) -> None:
    """Print whom you have blocked, by name.

    \b
    ssechat blocks --user alice
    """
    from ssechat.texts.printable import one_line

    with connect(account, timeout) as (client, run):
        found = run.each(client.blocks())
        show_all(found, lambda each: one_line(str(each["user"])), as_json=as_json, none="You have blocked nobody.")
