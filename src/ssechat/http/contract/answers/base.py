"""What all answers have in common."""

from typing import Annotated

from pydantic import ConfigDict, Field

from ssechat.texts.documented import Documented

Secret = Annotated[str, Field(json_schema_extra={"format": "password"})]
"""Nothing that a log should have."""


class AnswerBody(Documented):
    """Base of the answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(AnswerBody):
    """An empty object."""
