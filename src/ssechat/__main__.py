"""`ssechat`, and `python -m ssechat`, which is the same."""

import sys


def run() -> int:
    """Run a command; Ctrl-C is no error, not even while Python still reads our files. Returns the exit code."""
    try:
        from ssechat.cli.main import main

        return main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
