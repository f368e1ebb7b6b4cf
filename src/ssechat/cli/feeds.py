"""The commands of `ssechat feed`."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import connect, forget_token_of_another_server, is_another_server
from ssechat.cli.objects import show_all, show_one
from ssechat.cli.options import Id, OrderedGroup, Text, client_options, setting_options, timeout_option
from ssechat.cli.running import Run
from ssechat.errors import SettingsError

if TYPE_CHECKING:
    from ssechat.client import Client

# Events about the stream itself, which are printed to stderr as sentences.
STREAM_NOTES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "hello": lambda data: f"listening to {data.get('feed')} …",
    "caught_up": lambda data: "",
    "reset": lambda data: "what was missed is not kept any more: `ssechat feed show` has what is so now",
    "bye": lambda data: f"the server ends this stream ({data.get('reason')})",
}


@click.group(cls=OrderedGroup)
def feed() -> None:
    """Feeds, one to many: make them, publish, listen.

    Who makes and fills them gives the admin token (--admin-token-file, the file that the server has), or is a --user or
    has a --token where users may. A public feed is read without any of these.

    \b
    ssechat feed create prices --keyed --admin-token-file admin.token
    ssechat feed publish prices --key AAPL 101.5 --admin-token-file admin.token
    ssechat feed listen prices

    `ssechat feed demo` fills the pages at /examples with made-up data.
    """


def feed_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that all these commands share."""
    return client_options(setting_options(("admin_token_file",))(function))


def admin_token_of(account: dict[str, Any], *, reads: bool) -> str | None:
    """The admin token, if the options of an account mean the admin; who only `reads` may be nobody.

    Raises:
        click.UsageError: it is not clear who asks.
        SettingsError: the file of the admin token cannot be used.
    """
    from ssechat.identity.admin_token import read_admin_token
    from ssechat.settings import load_settings

    forget_token_of_another_server(account["server"], account)
    given = click.get_current_context().get_parameter_source
    is_somebody = account["user"] is not None or given("token") is click.core.ParameterSource.COMMANDLINE
    flag = account.pop("admin_token_file")
    if is_somebody and flag is not None:
        raise click.UsageError("--admin-token-file and --user or --token: give only one of them")
    path = None if is_somebody else load_settings({"admin_token_file": flag}).admin_token_file
    if path is not None and flag is None and is_another_server(account["server"]):
        stdio.note("The admin token in the environment is for the server in SSECHAT_SERVER: it is not sent here")
        path = None
    token = None if path is None else read_admin_token(path)
    if token is None and not reads and not is_somebody and account["token"] is None:
        raise click.UsageError("nobody: give --admin-token-file, or --user or --token where users may do this")
    return token


@contextmanager
def _connected(account: dict[str, Any], timeout: float = 30.0, *, reads: bool) -> Iterator[tuple["Client", Run]]:
    """As `connect`, as the admin or a user; who only `reads` may be nobody.

    Raises:
        click.UsageError: it is not clear who asks.
        SettingsError: the file of the admin token cannot be used.
    """
    token = admin_token_of(account, reads=reads)
    with connect(account, timeout, admin=token, may_be_stranger=reads) as connected:
        yield connected


@feed.command()
@click.argument("name", type=Text())
@feed_options
@timeout_option
@click.option(
    "--read",
    type=click.Choice(["public", "users", "group"]),
    default="public",
    help="Who reads it: anybody, users, or the members of --group.  [default public]",
)
@click.option("--group", type=Text(), metavar="GROUP", help="The id of a group (g:…), whose members read it.")
@click.option("--keyed", is_flag=True, help="Each event is the newest value of a key, and replaces the one before.")
@click.option("--keep", type=click.IntRange(0, 10_000), metavar="N", help="Events that are kept.  [default 1000]")
@click.option(
    "--publisher", type=Text(), multiple=True, metavar="USER", help="A user who may publish; can be repeated."
)
def create(
    name: str,
    read: str,
    group: str | None,
    keep: int | None,
    publisher: tuple[str, ...],
    timeout: float,
    *,
    keyed: bool,
    as_json: bool,
    **account: Any,
) -> None:
    """Make the feed NAME, or change it: what is not given is as for a new one.

    \b
    ssechat feed create scores --keep 100
    ssechat feed create prices --keyed --publisher ticker
    ssechat feed create plans --read group --group g:abcdefghijklmnopqrstuvwxyz
    """
    from ssechat.cli.terminal import feed_line

    reads = "group" if group is not None else read
    with _connected(account, timeout, reads=False) as (client, run):
        made = run(client.feeds.put(name, reads, group=group, keep=keep, keyed=keyed, publishers=publisher)).raw
    with stdio.reporting("the feed was made"):
        show_one(made, feed_line, as_json=as_json)


@feed.command()
@click.argument("name", type=Text())
@click.argument("content", type=Text(), required=False, metavar="[DATA]")
@feed_options
@timeout_option
@click.option("--event", type=Id(), metavar="NAME", help="The event's name on the stream.  [default message]")
@click.option("--key", type=Id(), metavar="KEY", help="Of a feed with keys: whose newest value DATA is.")
@click.option("--delete", "deletes", is_flag=True, help="Delete the key; there is no DATA then.")
@click.option("--text", "is_text", is_flag=True, help="DATA is a text, and no JSON.")
@click.option("--id", type=Id(), metavar="ID", help="The same command again with the same ID publishes nothing new.")
def publish(
    name: str,
    content: str | None,
    event: str | None,
    key: str | None,
    id: str | None,
    timeout: float,
    *,
    deletes: bool,
    is_text: bool,
    as_json: bool,
    **account: Any,
) -> None:
    """Publish DATA, which is JSON, in the feed NAME. Without DATA, or with -, it is read from standard input.

    \b
    ssechat feed publish scores '{"home": 2, "guests": 1}' --event goal
    ssechat feed publish prices 101.5 --key AAPL
    ssechat feed publish prices --key AAPL --delete
    ssechat feed publish banner --text "Back at noon"
    """
    from ssechat.cli.terminal import published_line

    if deletes:
        if key is None or content is not None:
            raise click.UsageError("--delete goes with --key, and without DATA")
        data = None
    else:
        data = _content(stdio.read_input() if content in (None, "-") else str(content), is_text=is_text)
    with _connected(account, timeout, reads=False) as (client, run):
        published = run(client.feeds.publish(name, data, event=event, key=key, id=id)).raw
    with stdio.reporting("the event was published"):
        show_one(published, published_line, as_json=as_json)


@feed.command("listen")
@click.argument("name", type=Text())
@feed_options
@click.option("--since", type=Id(), metavar="ID", help="Start after the event with this id; 0-0 for all that are kept.")
@click.option(
    "--last", type=click.IntRange(0, 200), metavar="N", help="Of a feed without keys: first its last N events."
)
def listen_to(name: str, since: str | None, last: int | None, *, as_json: bool, **account: Any) -> None:
    """Print the events of the feed NAME as they come, one per line, until Ctrl-C.

    Of a feed with keys first comes the newest value of each. It reconnects by itself, and misses none.

    \b
    ssechat feed listen prices
    ssechat feed listen scores --last 10 --json | jq .data.data
    """
    from ssechat.cli.terminal import feed_event_line

    if since is not None and not (since.isascii() and since.isprintable()):
        raise SettingsError("--since: this is not the id of an event")
    with _connected(account, reads=True) as (client, run):
        for event in run.each(client.feeds.events(name, since, last=last)):
            if as_json:
                click.echo(json.dumps({"event": event.name, "id": event.id or None, "data": event.raw}))
            elif event.name in STREAM_NOTES:
                said = STREAM_NOTES[event.name](event.raw if isinstance(event.raw, dict) else {})
                if said:
                    stdio.note(said)
            else:
                click.echo(feed_event_line(event.name, event.raw))


@feed.command()
@click.argument("name", type=Text())
@feed_options
@timeout_option
@click.option(
    "--last", type=click.IntRange(1, 200), metavar="N", help="Of a feed without keys: its last N.  [default 20]"
)
def show(name: str, last: int | None, timeout: float, *, as_json: bool, **account: Any) -> None:
    """Print what the feed NAME has now: the newest value of each key, or its last events.

    \b
    ssechat feed show prices
    """
    from ssechat.cli.terminal import feed_event_line

    with _connected(account, timeout, reads=True) as (client, run):
        now = run(client.feeds.show(name, last=last))
    show_all(
        now.events,
        lambda one: feed_event_line(str(one.get("event")), one),
        as_json=as_json,
        none="There is nothing in this feed yet.",
    )


@feed.command("delete")
@click.argument("name", type=Text())
@feed_options
@timeout_option
def delete_feed(name: str, timeout: float, *, as_json: bool, **account: Any) -> None:
    """Delete the feed NAME and all that it has, and end its streams.

    \b
    ssechat feed delete prices --admin-token-file admin.token
    """
    from ssechat.texts.printable import one_line

    with _connected(account, timeout, reads=False) as (client, run):
        run(client.feeds.delete(name))
    if not as_json:
        with stdio.reporting("the feed was deleted"):
            click.echo(f"there is no feed {one_line(name)} now")


def _content(text: str, *, is_text: bool) -> Any:
    """What shall be published.

    Raises:
        SettingsError: it is no JSON.
    """
    if is_text:
        return text
    try:
        found = json.loads(text, parse_constant=_no_constant)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()  # as 1e999, or half a pair of surrogates
        return found
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"DATA: this is no JSON ({error}): put a text in quotation marks, as '\"hi\"', or add --text"
        ) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")
