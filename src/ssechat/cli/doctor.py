"""The command `doctor`, and how it shows what is found."""

import asyncio
import json
import os
import shutil
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ssechat.cli import stdio
from ssechat.cli.account import optional_credential
from ssechat.cli.options import Number, Text, account_options
from ssechat.errors import SettingsError
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


@click.command()
@click.argument("url", type=Text(), envvar="SSECHAT_SERVER")
@account_options
@click.option("--sign-up", is_flag=True, help="Make an account, doctor-…, for what needs a user. It stays there.")
@click.option("--origin", type=Text(), metavar="ORIGIN", help="Check that pages of this origin can use the server.")
@click.option("--http-port", type=click.IntRange(1, 65535), metavar="N", help="The port of plain http.  [default 80]")
@click.option("--quick", is_flag=True, help="Leave out what takes long: a stream held until its ping, 15 to 30 s.")
@click.option("--strict", is_flag=True, help="Exit with 1 on a warning, too.")
@click.option(
    "--timeout",
    type=Number(0, 600, min_open=True),
    default=10.0,
    metavar="SECONDS",
    help="How long to wait for each answer.  [default 10]",
)
def doctor(
    url: str,
    sign_up: bool,
    origin: str | None,
    http_port: int | None,
    quick: bool,
    strict: bool,
    timeout: float,
    as_json: bool,
    **account: Any,
) -> int:
    """Check a deployment from outside, and say what to change in it.

    \b
    ssechat doctor https://chat.example --sign-up
    ssechat doctor https://chat.example --token "$TOKEN" --origin https://app.example
    ssechat doctor http://127.0.0.1:8000 --user alice --quick

    It looks for what fronts (nginx, HAProxy, Caddy, balancers) do wrong: streams that are buffered, compressed or cut
    off, a host or a scheme that is not passed on, cookies, CORS, metrics that everybody can read, and more.

    It sends about 80 small requests, one after another. None changes anything without a user; with one it writes a note
    to that user, edits and deletes it. Two requests have an Upgrade, and another request in their body, which asks for
    what everybody may read: a front that lets it through would let worse through.

    Without URL, the one in SSECHAT_SERVER counts.

    Exit code: 0 if nothing is wrong, 1 if something is, 2 if the deployment could not be checked.
    """
    from ssechat.client.address import server_address
    from ssechat.doctor.failures import CannotExamine
    from ssechat.doctor.site import Plan
    from ssechat.doctor.visitor import Credential
    from ssechat.texts.origins import canonical_origin

    try:
        address = server_address(url)
    except SettingsError as error:
        raise SettingsError(str(error).replace("--server:", "URL:", 1)) from None
    if origin is not None:
        try:
            origin = canonical_origin(origin)
        except ValueError as error:
            raise SettingsError(f"--origin: {error}") from None
    _forget_token_of_another_server(url, account)
    for option in ("user", "token") if sign_up else ():
        if click.get_current_context().get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{option} and --sign-up both name a user: give only one of them")
    credential = Credential(None if sign_up else optional_credential(**account), sign_up)
    plan = Plan(seconds=timeout, quick=quick, origin=origin, http_port=http_port)
    shown = JsonOutput() if as_json else TextOutput()
    try:
        return asyncio.run(_examined(address, plan, credential, shown, strict))
    except CannotExamine as error:
        raise SettingsError(str(error)) from None
    finally:
        shown.close()


def _forget_token_of_another_server(url: str, account: dict[str, Any]) -> None:
    """A token in the environment is for the server in the environment, and for no other one."""
    given = click.get_current_context().get_parameter_source("token")
    server = os.environ.get("SSECHAT_SERVER", url)
    if account["token"] is not None and given is click.core.ParameterSource.ENVIRONMENT and server != url:
        account["token"] = None
        stdio.note("The token in SSECHAT_TOKEN is for the server in SSECHAT_SERVER: it is not sent here")


async def _examined(url: Any, plan: Any, credential: Any, shown: "TextOutput | JsonOutput", strict: bool) -> int:
    from ssechat.doctor.arrival import arrive
    from ssechat.doctor.check import Check
    from ssechat.doctor.departure import leave
    from ssechat.doctor.examination import examine
    from ssechat.doctor.findings import Verdict
    from ssechat.doctor.site import Site

    site = Site(url, plan)
    try:
        await arrive(site, credential)
        shown.began(site)
        counts: Counter[str] = Counter()
        try:
            async for each in examine(site):
                if isinstance(each, Check):
                    shown.checking(each)
                else:
                    counts[each.verdict] += 1
                    shown.found(each)
        finally:
            await leave(site)
        failed = bool(counts[Verdict.WRONG] or (strict and counts[Verdict.WARNING]))
        shown.ended(site, counts)
        return int(failed)
    finally:
        await site.close()


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
