"""The program `ssechat`, also run by `python -m ssechat`."""

import sys


def run() -> int:
    """Runs a command and returns the exit code. Ctrl-C prints no traceback, not even while modules are imported."""
    try:
        from ssechat.cli.main import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
