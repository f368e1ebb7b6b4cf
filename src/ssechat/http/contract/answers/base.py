"""What all answers have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Secret = Annotated[str, Field(json_schema_extra={"format": "password"})]
"""Nothing that a log should have."""


class AnswerBody(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Nothing(AnswerBody):
    """An empty object."""
