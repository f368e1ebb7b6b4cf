"""The commands of `ssechat group`."""

from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.invites import invite, invites, join, revoke
from ssechat.cli.objects import show_all, show_one
from ssechat.cli.options import OrderedGroup, Text, client_options, id_option, timeout_option
from ssechat.cli.running import Run
from ssechat.errors import ChatError, SettingsError

if TYPE_CHECKING:
    from ssechat.client import Client, Conversation


@click.group(cls=OrderedGroup)
def group() -> None:
    """Groups: make them, say who is in them, invite.

    GROUP is the id of a group (g:…), or its name if no other group of yours has it.

    \b
    ssechat group make --user alice "Lunch" bob carol
    ssechat send --user alice g:lunch "where to?"
    ssechat group invite --user alice lunch --expires 2d
    """


@group.command()
@click.argument("name", type=Text())
@click.argument("members", type=Text(), nargs=-1, metavar="[MEMBER]...")
@client_options
@timeout_option
@id_option
@click.option("--topic", type=Text(), metavar="TEXT", help="What the group is about.")
@click.option(
    "--history",
    type=click.Choice(["all", "from_join"]),
    help="What new members may read: all of it, or what is said after they join.  [default all]",
)
def make(
    name: str,
    members: tuple[str, ...],
    topic: str | None,
    history: str | None,
    client_msg_id: str | None,
    timeout: float,
    as_json: bool,
    **account: Any,
) -> None:
    """Make a group, with you as its owner.

    \b
    ssechat group make --user alice Lunch bob carol
    ssechat group make --user alice "Project X" bob --topic "until May" --history from_join
    """
    with connect(account, timeout) as (client, run):
        made = run(client.groups.make(name, members, topic=topic, history=history, client_msg_id=client_msg_id))
    with stdio.reporting("the group was made"):
        _show(made, as_json)


@group.command("list")
@client_options
@timeout_option
def list_groups(timeout: float, as_json: bool, **account: Any) -> None:
    """Print your groups, the one with the newest event first.

    \b
    ssechat group list --user alice
    ssechat group list --user alice --json | jq -r .id
    """
    from ssechat.cli.terminal import group_line

    with connect(account, timeout) as (client, run):
        groups = (each for each in run.each(client.conversations()) if each.is_group)
        show_all(groups, group_line, as_json=as_json, none="you are in no group")


@group.command()
@click.argument("group", type=Text())
@client_options
@timeout_option
def show(group: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Print what there is to say of a group.

    \b
    ssechat group show --user alice lunch
    """
    from ssechat.cli.terminal import group_lines

    with connect(account, timeout) as (client, run):
        found = run(client.groups.show(_id(client, run, group))).raw
    show_one(found, group_lines, as_json=as_json)


@group.command()
@click.argument("group", type=Text())
@client_options
@timeout_option
def members(group: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Print all members, each with their role.

    \b
    ssechat group members --user alice lunch
    """
    from ssechat.cli.terminal import member_line

    with connect(account, timeout) as (client, run):
        show_all(run.each(client.groups.members(_id(client, run, group))), member_line, as_json=as_json)


@group.command()
@click.argument("group", type=Text())
@click.argument("users", type=Text(), nargs=-1, required=True, metavar="USER...")
@client_options
@timeout_option
def add(group: str, users: tuple[str, ...], timeout: float, as_json: bool, **account: Any) -> None:
    """Add users to a group, as its owner or admin. Who is a member already stays one.

    \b
    ssechat group add --user alice lunch dave erin
    """
    from ssechat.cli.terminal import addition_line

    with connect(account, timeout) as (client, run):
        added = run(client.groups.add(_id(client, run, group), users)).raw
    with stdio.reporting("the users were added"):
        show_one(added, addition_line, as_json=as_json)


@group.command()
@click.argument("group", type=Text())
@click.argument("users", type=Text(), nargs=-1, required=True, metavar="USER...")
@client_options
@timeout_option
def remove(group: str, users: tuple[str, ...], timeout: float, as_json: bool, **account: Any) -> None:
    """Remove members from a group, as its owner or admin.

    \b
    ssechat group remove --user alice lunch dave
    """
    with connect(account, timeout) as (client, run):
        place = _id(client, run, group)
        for user in users:
            run(client.groups.remove(place, user))
            _say(f"{user} is no member now", as_json)


@group.command()
@click.argument("group", type=Text())
@click.argument("member", type=Text(), metavar="USER")
@click.argument("role", type=click.Choice(["owner", "admin", "member"]))
@client_options
@timeout_option
def role(group: str, member: str, role: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Make a member an owner, an admin or a plain member.

    Owners set roles. They may do everything; admins rename, invite, add, and remove members; members write and leave.

    \b
    ssechat group role --user alice lunch bob admin
    """
    from ssechat.cli.terminal import member_line

    with connect(account, timeout) as (client, run):
        changed = run(client.groups.set_role(_id(client, run, group), member, role)).raw
    with stdio.reporting("the role was set"):
        show_one(changed, member_line, as_json=as_json)


@group.command()
@click.argument("group", type=Text())
@click.argument("name", type=Text())
@client_options
@timeout_option
def rename(group: str, name: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Give a group another NAME, as its owner or admin.

    \b
    ssechat group rename --user alice lunch "Late lunch"
    """
    with connect(account, timeout) as (client, run):
        changed = run(client.groups.change(_id(client, run, group), name=name))
    with stdio.reporting("the group was renamed"):
        _show(changed, as_json)


@group.command()
@click.argument("group", type=Text())
@click.argument("topic", type=Text())
@client_options
@timeout_option
def topic(group: str, topic: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Say what a group is about, as its owner or admin. An empty TOPIC takes it away.

    \b
    ssechat group topic --user alice lunch "where we eat this week"
    """
    with connect(account, timeout) as (client, run):
        changed = run(client.groups.change(_id(client, run, group), topic=topic))
    with stdio.reporting("the topic was set"):
        _show(changed, as_json)


@group.command()
@click.argument("group", type=Text())
@client_options
@timeout_option
def leave(group: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Leave a group, also one that has ended. You can read what was said up to then.

    \b
    ssechat group leave --user bob lunch
    """
    with connect(account, timeout) as (client, run):
        run(client.groups.remove(_id(client, run, group), run(client.user())))
    _say("you have left", as_json)


@group.command()
@click.argument("group", type=Text())
@client_options
@timeout_option
@click.option("--yes", is_flag=True, help="End it without a question.")
def end(group: str, yes: bool, timeout: float, as_json: bool, **account: Any) -> None:
    """End a group for all, as its owner.

    Nobody can write to it any more, and it cannot be undone.

    \b
    ssechat group end --user alice lunch
    ssechat group end --user alice lunch --yes
    """
    from ssechat.cli.terminal import group_line

    if not (yes or stdio.is_asked()):
        raise SettingsError("nobody can be asked here whether to end the group: give --yes")
    with connect(account, timeout) as (client, run):
        place = _id(client, run, group)
        if not yes:
            stdio.note(group_line(run(client.groups.show(place)).raw))
            if not click.confirm("End this group for all of its members?", err=True):
                raise ChatError("the group was not ended")
        run(client.groups.end(place))
    _say("the group has ended", as_json)


for command in (invite, invites, revoke, join):
    group.add_command(command)


def _id(client: "Client", run: Run, group: str) -> str:
    from ssechat.cli.places import Places

    return Places(client, run).group(group)


def _show(group: "Conversation", as_json: bool) -> None:
    from ssechat.cli.terminal import group_line

    show_one(group.raw, group_line, as_json=as_json)


def _say(done: str, as_json: bool) -> None:
    """Prints what was done, where the server answers nothing."""
    from ssechat.texts.printable import one_line

    if not as_json:
        with stdio.reporting(done):
            click.echo(one_line(done))
