"""`ssechat serve` whose workers carry requests in one way only: `python -m tests.bench.ways_server WAY serve …`.

The ways differ in what is taken out of the server as it is shipped, here and nowhere in it.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from ssechat import app
from ssechat.cli import main as cli
from ssechat.server import supervisor
from ssechat.server.header_cache import HeaderCache
from ssechat.settings import Settings


def parsed(settings: Settings) -> Any:
    """The app on a server that parses each head anew."""
    HeaderCache.find = lambda self, data: None  # type: ignore[method-assign]
    HeaderCache.remember = lambda self, data, scope: None  # type: ignore[method-assign]
    return app.create_app(settings)


WAYS = {
    "ASGI": ("--http", "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol"),
    "connection": ("--app", f"{__spec__.name}:parsed"),
    "and known heads": (),
}
"""What workers are started with for each: on uvicorn's connection; on ours; on ours as it is shipped."""


if __name__ == "__main__":
    # Workers look for modules elsewhere than where this was started.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    arguments = WAYS[sys.argv.pop(1)]
    supervisor.Supervisor = partial(supervisor.Supervisor, worker_arguments=arguments)  # type: ignore[assignment,misc]
    sys.exit(cli.main())
