"""A check: what it proves, what it needs, and what to do if it fails."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from ssechat.doctor.findings import Advice, Finding, Verdict
from ssechat.doctor.site import Site


class Check(ABC):
    """One thing that must be so. Checks keep nothing between two runs."""

    name: ClassVar[str]
    """A word that stays the same: scripts look for it."""
    proves: ClassVar[str]
    """What is so if the check is ok, as a sentence."""
    advice: ClassVar[Advice]
    needs_user: ClassVar[bool] = False
    needs_https: ClassVar[bool] = False
    needs_direct: ClassVar[bool] = False
    """Whether it looks at connections, which a proxy of the environment would make its own."""
    is_long: ClassVar[bool] = False

    def why_not(self, site: Site) -> str:
        """Why this cannot be looked at; empty if it can."""
        if self.needs_https and not site.is_https:
            return "there is no https here"
        if self.needs_direct and site.is_proxied:
            return "a proxy that the environment names lies between; unset it for this (NO_PROXY)"
        if self.needs_user and site.visitor is None:
            return site.why_nobody
        if self.is_long and site.plan.quick:
            return "left out (--quick)"
        return ""

    @abstractmethod
    async def run(self, site: Site) -> Finding:
        """Looks.

        Raises:
            NoAnswer: a request was not answered, which is wrong.
        """

    def ok(self, said: str, **facts: Any) -> Finding:
        """All is well."""
        return Finding(self.name, Verdict.OK, said, None, facts)

    def warning(self, said: str, advice: Advice | None = None, **facts: Any) -> Finding:
        """Something could be better."""
        return Finding(self.name, Verdict.WARNING, said, advice or self.advice, facts)

    def wrong(self, said: str, advice: Advice | None = None, **facts: Any) -> Finding:
        """Something is wrong."""
        return Finding(self.name, Verdict.WRONG, said, advice or self.advice, facts)

    def skipped(self, said: str) -> Finding:
        """It was not looked at."""
        return Finding(self.name, Verdict.SKIPPED, said)
