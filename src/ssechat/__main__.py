"""The program `ssechat`, also run by `python -m ssechat`."""

import signal
import sys


def run() -> int:
    """Runs a command and returns the exit code. Ctrl-C prints no traceback, not even while modules are imported or
    while the interpreter exits."""
    try:
        try:
            from ssechat.cli.main import main

            return main()
        finally:  # not SIG_IGN: a signal that comes just then is reported as an error
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
