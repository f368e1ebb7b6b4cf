"""Shows what the command `doctor` finds: as lines for a person, or as JSON."""

import json
import os
import shutil
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.texts.printable import one_line

if TYPE_CHECKING:
    from ssechat.doctor.check import Check
    from ssechat.doctor.findings import Finding
    from ssechat.doctor.site import Site

COLOURS: dict[str, dict[str, Any]] = {
    "ok": {"fg": "green"},
    "warning": {"fg": "yellow", "bold": True},
    "wrong": {"fg": "red", "bold": True},
    "skipped": {"dim": True},
}
WIDTH = 100
INDENT = " " * 26
ERASE = "\r\x1b[K"


class TextOutput:
    """Lines for a person; on a terminal with colours, and with what is being checked."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._is_coloured = self._is_terminal and not os.environ.get("NO_COLOR")
        self._width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if self._is_terminal else WIDTH
        self._under_way = False
        self._front: str | None = None

    def began(self, site: "Site") -> None:
        """Says what was found at the first requests."""
        from ssechat.doctor.arrival import front_name

        self._front = site.front
        version = one_line(str(site.about.get("version")))[:40]
        click.echo(f"{site.url}: ssechat {version}, {front_name(site)}\n")

    def checking(self, check: "Check") -> None:
        """Says what is being checked, and that it takes long."""
        long = "; this takes up to a minute (--quick leaves it out)" if check.is_long else ""
        if self._is_terminal:
            self._under_way = True
            click.echo(f"{ERASE}{f'…        {check.name:14} {check.proves}{long}'[: self._width - 1]}", nl=False)
        elif long:
            stdio.note(f"{check.name}: holding a stream until its ping{long} …")

    def found(self, finding: "Finding") -> None:
        """Shows a finding, and what to do."""
        self.close()
        word = click.style(f"{finding.verdict:8}", **COLOURS[finding.verdict])
        said = self._wrapped(f"{finding.verdict:8} {finding.check:14} ", finding.said)
        self._echo(word + said[len(f"{finding.verdict:8}") :])
        if finding.advice is None:
            return
        self._echo(self._wrapped(" " * 9 + "what it means  ", finding.advice.means))
        self._echo(self._wrapped(" " * 9 + "what to change ", finding.advice.change))
        for line in finding.advice.lines_for(self._front):
            self._echo(self._wrapped(f"{INDENT}{line.name}: ", line.said()))

    def ended(self, site: "Site", counts: Counter[str]) -> None:
        """Sums up."""
        parts = [f"{counts[word]} {word}" for word in COLOURS if counts[word]]
        end = "" if counts["wrong"] + counts["warning"] else "; nothing is wrong"
        self._echo(f"\n{', '.join(parts)}{end}")
        if site.visitor is None and site.why_nobody:
            self._echo(self._wrapped("", f"What needs a user was left out: {site.why_nobody}"))
        elif site.visitor is not None and site.visitor.cookies is not None:
            self._echo(f"The account {one_line(site.visitor.name)} stays there; its password is known to nobody.")

    def close(self) -> None:
        """Takes the line of what is being checked away."""
        if self._under_way:
            self._under_way = False
            click.echo(ERASE, nl=False)

    def _echo(self, text: str) -> None:
        click.echo(text, color=None if self._is_coloured else False)

    def _wrapped(self, label: str, text: str) -> str:
        """The text behind a label, in lines as wide as the terminal; a server's words cannot drive it."""
        return textwrap.fill(
            one_line(text),
            max(self._width, 60),
            initial_indent=label,
            subsequent_indent=" " * min(len(label), len(INDENT)),
            break_on_hyphens=False,
            break_long_words=False,
        )


class JsonOutput:
    """An object a line: one for each check, and a last one for all of them."""

    def began(self, site: "Site") -> None:
        """Nothing: the last line has it."""

    def checking(self, check: "Check") -> None:
        """Nothing: only what is found is shown."""

    def found(self, finding: "Finding") -> None:
        """Shows a finding."""
        content: dict[str, Any] = {"check": finding.check, "verdict": finding.verdict, "found": finding.said}
        if finding.facts:
            content["facts"] = finding.facts
        if finding.advice is not None:
            content["means"] = finding.advice.means
            content["change"] = finding.advice.change
            content["lines"] = [
                {"front": line.front, "line": line.shown, "remove": line.remove, "where": line.where or None}
                for line in finding.advice.lines
            ]
        click.echo(json.dumps(content))

    def ended(self, site: "Site", counts: Counter[str]) -> None:
        """Sums up."""
        content = {
            "url": str(site.url),
            "version": site.about.get("version"),
            "front": site.front,
            "user": None if site.visitor is None else site.visitor.name,
            **{word: counts[word] for word in COLOURS},
        }
        click.echo(json.dumps(content))

    def close(self) -> None:
        """Nothing is under way."""
