"""The first requests: whether there is an ssechat server, what stands in front of it, and who asks."""

import secrets
import ssl

from ssechat.client.transport import authorization
from ssechat.doctor.answers import Answer
from ssechat.doctor.exchange import answers, count_whole
from ssechat.doctor.failures import CannotExamine, NoAnswer, reason
from ssechat.doctor.findings import FRONTS
from ssechat.doctor.site import Site
from ssechat.doctor.visitor import Credential, Visitor
from ssechat.problem_details import shortened

NOBODY = "it needs a user: --user NAME on the server's own machine, --token, or --sign-up for an account of its own"

MOST_BODY = 256 * 1024
"""Bytes of the largest body that is sent, whatever the server allows."""

BAD_REQUEST = "a line that is no header"
"""Refused by every server, in its own words."""


async def arrive(site: Site, credential: Credential) -> None:
    """Fills in what is known of a site after the first requests.

    Raises:
        CannotExamine: there is no ssechat server, or it takes no sign-ups.
    """
    try:
        if site.is_https and not site.is_proxied:
            await _try_certificate(site)
        answer = await site.ask("GET", "/v1/server")
        if answer.status != 200 or answer.json.get("name") != "ssechat":
            raise CannotExamine(_no_server(site, answer))
        site.about = answer.json
        await _find_front(site, answer)
        limit = (await site.ask("GET", "/v1/limits")).json.get("body_bytes")
        if isinstance(limit, int) and limit > 0:
            site.body_bytes = min(limit, MOST_BODY)
        await _find_visitor(site, credential)
    except NoAnswer as error:
        raise CannotExamine(f"cannot reach {site.url}: {error}") from None


def _no_server(site: Site, answer: Answer) -> str:
    if answer.redirects_to:
        place = answer.redirects_to.partition("/v1/server")[0]
        return f"{site.url} redirects to {shortened(place)}: examine that address"
    if answer.status >= 500:
        return f"{site.url} answers {answer.said()}: does the server run, and does the front reach it?"
    return f"{site.url} answers {answer.said()} to GET /v1/server: there is no ssechat server at this address"


async def _try_certificate(site: Site) -> None:
    try:
        async with site.wire():
            return
    except NoAnswer as error:
        if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
            raise
        await site.distrusted(reason(error.__cause__))


async def _find_front(site: Site, answer: Answer) -> None:
    """Finds out what stands before the server: the name in its answers, else the words in which it refuses."""
    said = " ".join(answer.headers.get(name, "") for name in ("server", "via")).lower()
    known = {"nginx": "nginx", "openresty": "nginx", "caddy": "caddy", "haproxy": "haproxy"}
    site.front = next(
        (front for word, front in known.items() if word in said), said.split()[0] if said.strip() else None
    )
    if site.front is not None or site.is_proxied:
        return
    try:
        async with site.wire() as wire:
            await wire.send(site.line("GET", "/v1/server", BAD_REQUEST))
            refused = answers(await wire.read(lambda got: count_whole(got) >= 1, seconds=min(2, site.plan.seconds)))
    except NoAnswer:
        return
    if refused:
        site.is_bare = b'"code":"malformed"' in refused[0].body
        site.front = "haproxy" if b"Your browser sent an invalid request" in refused[0].body else None


def front_name(site: Site) -> str:
    """What stands in front, as a clause."""
    if site.is_bare:
        return "nothing in front of it"
    if site.front is None:
        return "a front that does not say what it is"
    return f"{FRONTS.get(site.front, shortened(site.front))} in front of it"


async def _find_visitor(site: Site, credential: Credential) -> None:
    if site.distrust:
        site.why_nobody = "the certificate is not trusted, so nobody is signed in here"
    elif credential.sign_up:
        site.visitor = await _sign_up(site)
    elif credential.token is None:
        site.why_nobody = NOBODY
    else:
        answer = await site.ask("GET", "/v1/session", headers=authorization(credential.token()))
        user = answer.json.get("user")
        if answer.status == 200 and isinstance(user, str):
            site.visitor = Visitor(user, credential.token)
        else:
            site.why_nobody = f"the token is not accepted ({answer.json.get('detail') or answer.said()})"


async def _sign_up(site: Site) -> Visitor:
    name = f"doctor-{secrets.token_hex(4)}"
    try:
        answer = await site.ask("POST", "/v1/users", json={"name": name, "password": secrets.token_urlsafe(24)})
    except NoAnswer as error:
        raise CannotExamine(f"--sign-up: {error}") from None
    token = answer.json.get("token")
    if answer.status != 201 or not isinstance(token, str):
        why = shortened(str(answer.json.get("detail") or answer.said()))
        raise CannotExamine(f"--sign-up: no account was made ({why}); give --user or --token instead")
    return Visitor(name, lambda: token, answer.headers.get_list("set-cookie"))
