"""`ssechat serve` with workers that hang on a signal, and are detected soon: `python -m hanging serve …`.

Environment: HANGING=stub runs the app of stub.py instead of the chat; MISSED_BEATS sets the supervisor's limit.
"""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import stub
from ssechat import app
from ssechat.cli import main as cli
from ssechat.server import heartbeat, supervisor
from ssechat.settings import Settings


def create_app(settings: Settings) -> Any:
    """Creates an app whose event loop is blocked by SIGUSR1, until the file `go-on` exists in the data folder."""
    goes_on = settings.data / "go-on"
    signal.signal(signal.SIGUSR1, lambda number, frame: hang_in_the_loop(goes_on))
    create = stub.create_app if os.environ.get("HANGING") == "stub" else app.create_app
    return create(settings)


def hang_in_the_loop(goes_on: Path) -> None:
    """Blocks the event loop until the file exists."""
    while not goes_on.exists():
        pass


ARGUMENTS = ("--app", "hanging:create_app")


if __name__ == "__main__":
    heartbeat.MISSED_BEATS = int(os.environ["MISSED_BEATS"])
    patch.object(supervisor, "Supervisor", partial(supervisor.Supervisor, worker_arguments=ARGUMENTS)).start()
    sys.exit(cli.main())
