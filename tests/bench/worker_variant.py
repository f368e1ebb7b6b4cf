"""Runs `ssechat serve` with workers that are started in another way, for servers of the benchmarks."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

from ssechat.cli import main as cli
from ssechat.server import supervisor


def serve(worker_arguments: Sequence[str]) -> NoReturn:
    """Runs the command line of this process, with more arguments for each worker; raises SystemExit."""
    # Workers do not search the current folder for modules.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
    patch.object(supervisor, "Supervisor", partial(supervisor.Supervisor, worker_arguments=worker_arguments)).start()
    sys.exit(cli.main())
