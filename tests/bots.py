"""The programs in the documentation that use the client."""

import inspect
import re
import textwrap

from serving import ROOT
from ssechat import client


def echo() -> str:
    """The bot in the docstring of the client."""
    [block] = re.findall(r"::\n\n((?:(?:    .*)?\n)+)", inspect.getdoc(client) or "")
    return textwrap.dedent(block).strip() + "\n"


def in_readmes() -> dict[str, str]:
    """Python programs in the READMEs that import the client, by file."""
    found = {}
    for path in (ROOT / "README.md", ROOT / "deploy" / "README.md"):
        for block in re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
            if "ssechat.client" in block:
                found[str(path.relative_to(ROOT))] = block
    return found


def programs() -> dict[str, str]:
    """All of them."""
    return {"docstring": echo(), **in_readmes()}
