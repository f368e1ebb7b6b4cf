"""The command line: `python -m tests.bench`."""

if __name__ == "__main__":
    # Client processes import this file under another name, and need no command.
    from .commands import main

    main()
