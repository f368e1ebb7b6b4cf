"""What the server has sent, as commands print it: an object a line, in words or as JSON."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio

if TYPE_CHECKING:
    from ssechat.client.models import Model

Line = Callable[[Mapping[str, Any]], str]
"""The words for an object (terminal.py)."""


def show_one(one: Mapping[str, Any], line: Line, *, as_json: bool) -> None:
    """Shows an object, as it came."""
    click.echo(json.dumps(one) if as_json else line(one))


def show_all(found: Iterable["Model"], line: Line, *, as_json: bool, none: str = "") -> None:
    """Shows each; if there are none, a terminal shows the sentence `none`."""
    shown = False
    for each in found:
        show_one(each.raw, line, as_json=as_json)
        shown = True
    if none and not shown and not as_json:
        stdio.note(none)
