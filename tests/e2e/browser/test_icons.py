"""The icons of the installed page: pictures of `icon.svg`, and of `icon-maskable.svg`, which systems cut as they like.

`ICONS=1 bash tests/run tests/e2e/browser/test_icons.py` makes the files anew.
"""

import base64
import os

import pytest
from playwright.sync_api import Browser, Page

from serving import ROOT

WEB = ROOT / "src" / "ssechat" / "web"
MOST = 3
"""The mean difference of a colour (of 255) that two releases of a browser may make."""

DIFFERENCE = """async ([one, other]) => {
  const pixels = async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height).data;
  };
  const [a, b] = [await pixels(one), await pixels(other)];
  return a.length === b.length ? a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length : Infinity;
}"""


def drawn(page: Page, source: str, size: int) -> bytes:
    """The picture, so many pixels wide and high."""
    page.set_viewport_size({"width": size, "height": size})
    data = base64.b64encode((WEB / source).read_bytes()).decode()
    page.set_content(f'<body style="margin: 0"><img style="display: block" width="{size}" height="{size}" '
                     f'src="data:image/svg+xml;base64,{data}">')  # fmt: skip
    page.evaluate("document.querySelector('img').decode()")
    return page.screenshot(omit_background=True)


@pytest.mark.parametrize(
    ("made", "source", "size"),
    [
        ("icon-192.png", "icon.svg", 192),
        ("icon-512.png", "icon.svg", 512),
        ("icon-maskable-512.png", "icon-maskable.svg", 512),
        ("icon-180.png", "icon-maskable.svg", 180),
    ],
)
def test_the_icons_are_pictures_of_the_svg_files(browser: Browser, made: str, source: str, size: int) -> None:
    page = browser.new_page()
    picture = drawn(page, source, size)
    if os.environ.get("ICONS"):
        (WEB / made).write_bytes(picture)
    both = [base64.b64encode(each).decode() for each in ((WEB / made).read_bytes(), picture)]
    assert page.evaluate(DIFFERENCE, both) < MOST
    page.close()
