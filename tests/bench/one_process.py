"""Serves a small app of another kind in one process, under uvicorn, as the comparisons start it."""

import argparse
import socket
from collections.abc import Callable, Mapping, Sequence

import uvicorn
from starlette.applications import Starlette


def serve_one(
    apps: Mapping[str, Callable[[], Starlette]],
    program: str,
    about: str | None,
    arguments: Sequence[str] | None,
    *,
    keep_alive: int = 5,
) -> None:
    """Serves the app that the command line names, on a free port, until SIGTERM; `keep_alive` in seconds."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    parser.add_argument("name", choices=apps)
    app = apps[parser.parse_args(arguments).name]()
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    host, port = listening.getsockname()
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", log_level="warning", backlog=4096, timeout_keep_alive=keep_alive
    )
    # Connections wait in the queue until the server accepts them.
    print(f"ready: http://{host}:{port}", flush=True)
    uvicorn.Server(config).run(sockets=[listening])
