"""`ssechat serve` with workers of one variant: `python -m tests.bench.ways_server WAY serve …`.

The variants are the shipped server without some parts. This file removes them; the server has no switch for it.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ssechat import app
from ssechat.cli import main as cli
from ssechat.server import supervisor
from ssechat.server.header_cache import HeaderCache
from ssechat.settings import Settings


def parsed(settings: Settings) -> Any:
    """The app on a server without the header cache."""
    patch.object(HeaderCache, "find", lambda self, data, last=None: None).start()
    patch.object(HeaderCache, "remember", lambda self, data, scope: None).start()
    return app.create_app(settings)


WAYS = {
    "ASGI": ("--http", "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol"),
    "protocol": ("--app", f"{__spec__.name}:parsed"),
    "and header cache": (),
}
"""The workers' arguments per variant: uvicorn's protocol; ssechat's without the header cache; ssechat's as shipped."""


if __name__ == "__main__":
    # Workers do not search the current folder for modules.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    arguments = WAYS[sys.argv.pop(1)]
    patch.object(supervisor, "Supervisor", partial(supervisor.Supervisor, worker_arguments=arguments)).start()
    sys.exit(cli.main())
