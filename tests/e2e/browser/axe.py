"""What axe-core finds on a page."""

from playwright.sync_api import Page

from serving import ROOT

AXE = ROOT / "tests" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async (only) => {
    const rules = only ? { runOnly: only } : { rules: { "target-size": { enabled: true } } };
    const { violations } = await axe.run({ resultTypes: ["violations"], ...rules });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, any, all, none }) =>
        `${id}: ${html.slice(0, 200)} ${[...any, ...all, ...none].map(({ message }) => message).join("; ")}`));
}"""

RESTS = """() => document.getAnimations().every((one) =>
    one.playState !== "running" || one.effect.getComputedTiming().iterations === Infinity)"""
"""Whether nothing moves, but for what moves as long as it is there."""


def findings(page: Page, *only: str) -> list[str]:
    """What axe-core finds, by all of its rules or by these.

    It is injected: the page's own policy lets no other script in, so Chromium needs `bypass_csp`.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    page.wait_for_function(RESTS)
    found: list[str] = page.evaluate(RUN, list(only) or None)
    return found
