"""The command `doctor`."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from ssechat.cli.account import forget_token_of_another_server, optional_credential
from ssechat.cli.options import Number, Text, account_options
from ssechat.errors import SettingsError

if TYPE_CHECKING:
    import httpx

    from ssechat.cli.findings import JsonOutput, TextOutput
    from ssechat.doctor.site import Plan
    from ssechat.doctor.visitor import Credential


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
    from ssechat.cli.findings import JsonOutput, TextOutput
    from ssechat.client.address import server_address
    from ssechat.doctor.failures import CannotExamine
    from ssechat.doctor.site import Plan
    from ssechat.doctor.visitor import Credential
    from ssechat.texts.origins import canonical_origin

    try:
        address = server_address(url)
    except SettingsError as error:
        raise SettingsError(f"URL: {error}") from None
    if origin is not None:
        try:
            origin = canonical_origin(origin)
        except ValueError as error:
            raise SettingsError(f"--origin: {error}") from None
    forget_token_of_another_server(url, account)
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


async def _examined(
    address: "httpx.URL", plan: "Plan", credential: "Credential", shown: "TextOutput | JsonOutput", strict: bool
) -> int:
    from ssechat.doctor.arrival import arrive
    from ssechat.doctor.check import Check
    from ssechat.doctor.departure import leave
    from ssechat.doctor.examination import examine
    from ssechat.doctor.findings import Verdict
    from ssechat.doctor.site import Site

    site = Site(address, plan)
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
