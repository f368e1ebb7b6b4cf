"""Where the server's log goes: to stderr, a line each, with the process that wrote it."""

import logging
import sys


def configure_logging(level: str) -> None:
    """Send what is logged at `level` and above to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s ssechat[%(process)d] %(levelname)s: %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn narrates each worker's start and end at "info"; the parent says what a person needs to know.
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("asyncio").setLevel(logging.WARNING)
