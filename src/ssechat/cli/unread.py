"""Commands about what is unread, and what others have read: `list`, `read`, `mute`, `receipts`."""

from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.objects import show_all, show_one
from ssechat.cli.options import Seq, Text, client_options, timeout_option

if TYPE_CHECKING:
    from ssechat.client import Mark

NO_RECEIPTS = "No receipts are shown here: too many members, or you have left, or they are switched off."


@click.command("list")
@client_options
@timeout_option
@click.option("--unread", "unread_only", is_flag=True, help="Only those in which something is unread.")
def list_conversations(unread_only: bool, timeout: float, as_json: bool, **account: Any) -> None:
    """Print your conversations, the one with the newest event first, and what is unread.

    \b
    ssechat list --user alice
    ssechat list --user alice --unread --json | jq -r .id
    """
    from ssechat.cli.terminal import conversation_line

    none = "Nothing is unread." if unread_only else "You have no conversations yet: ssechat send begins one."
    with connect(account, timeout) as (client, run):
        found = (each for each in run.each(client.conversations()) if each.unread or not unread_only)
        show_all(found, conversation_line, as_json=as_json, none=none)


@click.command()
@click.argument("conversation", type=Text())
@click.argument("seq", type=Seq(), required=False)
@client_options
@timeout_option
def read(conversation: str, seq: int | None, timeout: float, as_json: bool, **account: Any) -> None:
    """Mark the messages of CONVERSATION as read: up to SEQ, or all.

    CONVERSATION is the other user's name, a group as g:NAME, or an id. It holds for all your devices.

    \b
    ssechat read --user alice bob
    ssechat read --user alice g:lunch 12
    """
    from ssechat.cli.places import Places

    with connect(account, timeout) as (client, run):
        place = Places(client, run).conversation(conversation)
        newest = run(client.conversation(place)).newest_seq if seq is None else seq
        mark = run(client.mark_read(place, newest))
    with stdio.reporting("the messages were marked as read"):
        _show(mark, as_json)


@click.command()
@click.argument("conversation", type=Text())
@client_options
@timeout_option
@click.option("--off", is_flag=True, help="Unmute it instead.")
def mute(conversation: str, off: bool, timeout: float, as_json: bool, **account: Any) -> None:
    """Mute CONVERSATION: its messages come, and no client makes a noise of them.

    CONVERSATION is the other user's name, a group as g:NAME, or an id.

    \b
    ssechat mute --user alice g:lunch
    ssechat mute --user alice g:lunch --off
    """
    from ssechat.cli.places import Places

    with connect(account, timeout) as (client, run):
        mark = run(client.mute(Places(client, run).conversation(conversation), muted=not off))
    with stdio.reporting("the conversation was unmuted" if off else "the conversation was muted"):
        _show(mark, as_json)


@click.command()
@click.argument("conversation", type=Text())
@client_options
@timeout_option
def receipts(conversation: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Print up to where the others have read CONVERSATION, and have it on a device.

    CONVERSATION is the other user's name, a group as g:NAME, or an id.

    \b
    ssechat receipts --user alice bob
    ssechat receipts --user alice g:lunch --json | jq 'select(.read_up_to >= 12) | .user'
    """
    from ssechat.cli.places import Places
    from ssechat.cli.terminal import receipt_line

    with connect(account, timeout) as (client, run):
        found = run(client.conversation(Places(client, run).conversation(conversation))).receipts
    none = NO_RECEIPTS if found is None else "Nobody else is shown here."
    show_all(found or (), receipt_line, as_json=as_json, none=none)


def _show(mark: "Mark", as_json: bool) -> None:
    from ssechat.cli.terminal import mark_line

    show_one(mark.raw, mark_line, as_json=as_json)
