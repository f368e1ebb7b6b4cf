"""What things cost on a machine: written by `python -m tests.bench verdict --part size`, read by `ssechat size`."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssechat.errors import SettingsError

MEASURED = Path(__file__).with_name("measured.json")
"""The figures that come along."""
MAX_BYTES = 100_000

Cost = Annotated[float, Field(ge=0, lt=1e12, allow_inf_nan=False)]


class Figures(BaseModel):
    """What things cost. Bytes, and microseconds of one core."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str = Field(description="when it was measured, as ISO 8601")
    machine: str = Field(description="on which machine")
    command: str = Field(description="by which command")
    version: str = Field(description="the version of ssechat")
    stream_bytes: Cost = Field(description="memory of a worker for an open stream")
    kernel_bytes: Cost = Field(description="the kernel's memory for the connection of a stream")
    idle_microseconds: Cost = Field(description="CPU of workers for a second of a silent stream, its pings included")
    worker_microseconds: Cost = Field(
        description="CPU of workers for a delivered message, its share of the send included"
    )
    redis_microseconds: Cost = Field(description="CPU of Redis for it")
    message_bytes: Cost = Field(description="Redis's memory for a message of two people, in its log and two inboxes")
    entry_bytes: Cost = Field(description="Redis's memory for a message in the inbox of one more person")
    user_bytes: Cost = Field(description="Redis's memory for a user")
    send_wire_bytes: Cost = Field(description="bytes on the line for a request that sends, and its answer")
    event_wire_bytes: Cost = Field(description="bytes on the line for a message on a stream")
    ping_wire_bytes: Cost = Field(description="bytes on the line for a second of a silent stream")


def read_figures(path: Path) -> Figures:
    """Reads a file of figures.

    Raises:
        SettingsError: it cannot be read, or has no such figures.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise SettingsError(f"{path} is too large for a file of figures")
        return Figures.model_validate(json.loads(content))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{path} has no figures of a benchmark: {where}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{path} has no figures of a benchmark: it is not JSON") from None
