"""Commands that write: `send`, `edit`, `delete`, `react`."""

from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect
from ssechat.cli.objects import show_one
from ssechat.cli.options import Seq, Text, client_options, id_option, timeout_option
from ssechat.errors import ChatError, SettingsError
from ssechat.texts.characters import is_blank

if TYPE_CHECKING:
    from ssechat.cli.places import Places
    from ssechat.client import Message


@click.command()
@click.argument("to", type=Text())
@click.argument("text", type=Text())
@client_options
@timeout_option
@id_option
@click.option("--reply-to", type=Seq(), metavar="SEQ", help="The number of the message that this one answers.")
@click.option("--mention", "mentions", type=Text(), multiple=True, metavar="USER", help="Whom to mention; repeatable.")
def send(
    to: str,
    text: str,
    timeout: float,
    client_msg_id: str | None,
    reply_to: int | None,
    mentions: tuple[str, ...],
    as_json: bool,
    **account: Any,
) -> None:
    """Send TEXT to TO.

    TO is a user, a group as g:NAME, or a conversation's id. With - as TEXT, the text is read from standard input.

    \b
    ssechat send --user alice bob "hi there"
    ssechat send --user alice g:lunch --reply-to 7 --mention bob "at noon?"
    uptime | ssechat send --user alice bob -
    """
    from ssechat.cli.places import Places

    content = _content(text)
    with connect(account, timeout) as (client, run):
        places = Places(client, run)
        try:
            place = places.recipient(to)
            message = run(
                client.send(place, content, client_msg_id=client_msg_id, reply_to=reply_to, mentions=mentions)
            )
        except ChatError as error:
            if getattr(error, "code", "") == "unknown_user" and ":" not in to and not mentions:
                _suggest_group(places, to, error)
            raise
    with stdio.reporting("the message was sent"):
        _show(message, as_json)


@click.command()
@click.argument("conversation", type=Text())
@click.argument("seq", type=Seq())
@click.argument("text", type=Text())
@client_options
@timeout_option
def edit(conversation: str, seq: int, text: str, timeout: float, as_json: bool, **account: Any) -> None:
    """Replace the text of your message SEQ.

    CONVERSATION is the other user's name, a group as g:NAME, or an id. With - as TEXT, the text is read from standard
    input.

    \b
    ssechat edit --user alice bob 7 "hi there, Bob"
    ssechat edit --user alice g:lunch 12 "at half past twelve?"
    """
    from ssechat.cli.places import Places

    content = _content(text)
    with connect(account, timeout) as (client, run):
        message = run(client.edit(Places(client, run).conversation(conversation), seq, content))
    with stdio.reporting("the message was edited"):
        _show(message, as_json)


@click.command()
@click.argument("conversation", type=Text())
@click.argument("seq", type=Seq())
@client_options
@timeout_option
def delete(conversation: str, seq: int, timeout: float, as_json: bool, **account: Any) -> None:
    """Delete the message SEQ.

    It must be your own, or as an owner or admin of a group a member's. CONVERSATION is the other user's name, a group
    as g:NAME, or an id.

    \b
    ssechat delete --user alice bob 7
    ssechat delete --user alice g:lunch 12
    """
    from ssechat.cli.places import Places

    with connect(account, timeout) as (client, run):
        message = run(client.delete(Places(client, run).conversation(conversation), seq))
    with stdio.reporting("the message was deleted"):
        _show(message, as_json)


@click.command()
@click.argument("conversation", type=Text())
@click.argument("seq", type=Seq())
@click.argument("emoji", type=Text())
@client_options
@timeout_option
@click.option("--remove", is_flag=True, help="Take your reaction away instead.")
def react(conversation: str, seq: int, emoji: str, remove: bool, timeout: float, as_json: bool, **account: Any) -> None:
    """React with an EMOJI to the message SEQ.

    CONVERSATION is the other user's name, a group as g:NAME, or an id.

    \b
    ssechat react --user alice bob 7 👍
    ssechat react --user alice g:lunch 12 👍 --remove
    """
    from ssechat.cli.places import Places

    if emoji.isascii():
        raise SettingsError("EMOJI: this is not an emoji; give one such as 👍")
    with connect(account, timeout) as (client, run):
        place = Places(client, run).conversation(conversation)
        message = run(client.take_back(place, seq, emoji) if remove else client.react(place, seq, emoji))
    with stdio.reporting("the reaction was taken away" if remove else "the reaction was added"):
        _show(message, as_json)


def _content(text: str) -> str:
    content = stdio.read_input() if text == "-" else text
    if is_blank(content):
        raise SettingsError("TEXT: this text is blank; write something")
    return content


def _show(message: "Message", as_json: bool) -> None:
    from ssechat.cli.terminal import message_line

    show_one(message.raw, message_line, as_json=as_json)


def _suggest_group(places: "Places", name: str, error: ChatError) -> None:
    """Says how a group is written to, if there is one of the name that is no user's."""
    try:
        found = places.groups_named(name)
    except ChatError:
        return
    if found:
        raise ChatError(f"{error}. For your group of that name, write g:{name}") from None
