"""`ssechat key`: shows and replaces the key that signs the server's own tokens."""

import math
import time
from pathlib import Path

import click

from ssechat.cli.options import Number, OrderedGroup, setting_options
from ssechat.errors import SettingsError
from ssechat.identity.key_file import (
    SigningKey,
    SigningKeys,
    key_path,
    locked_key_file,
    read_key_file,
    time_text,
    write_key_file,
)
from ssechat.settings import load_settings

DAY = 86_400


@click.group(cls=OrderedGroup)
def key() -> None:
    """Show and replace the key that signs the server's tokens.

    \b
    ssechat key list       which keys there are, and which one signs
    ssechat key rotate     the next step of a rotation

    A key is shown by a digest, from which nobody can make it.
    """


@key.command("list")
@setting_options(("data", "key_file"))
def list_keys(**flags: str | None) -> None:
    """List the keys in the key file."""
    path = _path(flags)
    keys = read_key_file(path)
    for each in keys.all:
        click.echo(f"{each.short}  {'signs' if each is keys.signing else _state(each)}")


@key.command()
@setting_options(("data", "key_file"))
@click.option(
    "--days",
    type=Number(0, 3650),
    metavar="N",
    help="Days for which what the former key signed still counts; by default as many as a sign-in lasts. With 0 "
    "everybody has to sign in again.",
)
def rotate(days: float | None, **flags: str | None) -> None:
    """Take the next step of a rotation: everybody stays signed in.

    The first step adds a key, which only verifies. When all servers have read the file, the same command again has the
    new key sign. What the former key signed counts until it has expired.

    \b
    ssechat key rotate     add a key
    kill -HUP PID          each server reads the file
    ssechat key rotate     have it sign
    kill -HUP PID          each server reads the file
    """
    path = _path(flags)
    kept_days = load_settings({}).session_days if days is None else days
    with locked_key_file(path) as keys:
        if not keys.upcoming:
            if days is not None:
                raise click.UsageError("--days is for the second step, when the new key begins to sign")
            changed = keys.add()
            write_key_file(path, changed)
            _print_added(path, changed)
        else:
            changed = keys.advance(time.time() + kept_days * DAY)
            write_key_file(path, changed)
            _print_signs(path, changed)


def _print_added(path: Path, keys: SigningKeys) -> None:
    click.echo(
        f"{path} has a new key, {keys.upcoming[-1].short}. It only verifies so far: {keys.signing.short} still signs.\n"
        "Next, have every server read the file: copy it to all that have their own, and send each `ssechat serve`\n"
        "SIGHUP. When all have done so, run `ssechat key rotate` again, and the new key signs."
    )


def _print_signs(path: Path, keys: SigningKeys) -> None:
    former = keys.former[0]
    click.echo(
        f"In {path} {keys.signing.short} signs now.\n"
        f"What {former.short} signed counts until {time_text(former.until)}.\n"
        "Next, have every server read the file: copy it to all that have their own, and send each `ssechat serve`\n"
        "SIGHUP."
    )


def _state(each: SigningKey) -> str:
    if each.is_next:
        return "next: it verifies, and will sign after `ssechat key rotate`"
    if math.isinf(each.until):
        return "verifies, without an end"
    if each.until <= time.time():
        return f"over: what it signed counted until {time_text(each.until)}"
    return f"verifies: what it signed counts until {time_text(each.until)}"


def _path(flags: dict[str, str | None]) -> Path:
    """The path of the key file.

    Raises:
        SettingsError: this server has no key of its own.
    """
    settings = load_settings(flags)
    if settings.external_identity:
        raise SettingsError(
            "this server has no key of its own: SSECHAT_JWT_SECRET, SSECHAT_JWT_PUBLIC_KEY or SSECHAT_JWKS_URL is set, "
            "and the system that signs the tokens replaces its key"
        )
    return key_path(settings)
