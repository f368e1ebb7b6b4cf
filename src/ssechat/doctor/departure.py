"""The last request: an account that was made for the examination is signed out."""

import contextlib

from ssechat.doctor.failures import NoAnswer
from ssechat.doctor.site import Site


async def leave(site: Site) -> None:
    """Ends the session of a sign-up."""
    if site.visitor is not None and site.visitor.cookies is not None:
        with contextlib.suppress(NoAnswer):
            await site.ask("DELETE", "/v1/session", user=True)
