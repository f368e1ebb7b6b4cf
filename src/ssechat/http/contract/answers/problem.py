"""The answer that says what went wrong."""

from typing import Annotated

from pydantic import Field

from ssechat.http.contract.answers.base import AnswerBody


class WrongField(AnswerBody):
    """A field that is wrong."""

    field: str
    """Its name; empty for the body as a whole."""
    message: str
    """What is wrong with it."""


class ProblemDetails(AnswerBody):
    """An error (RFC 9457)."""

    type: str
    """A URI of the sort of problem (RFC 9457); mostly `about:blank`."""
    title: str
    """The status in words."""
    status: int
    """The status."""
    code: str
    """Stable: programs decide by it."""
    detail: str
    """What is wrong and what to do, for people."""
    request_id: str | None = None
    """The line about it in the server's log has the same. Missing if the request could not be read."""
    fields: list[WrongField] | None = None
    """With `invalid_request`: each field that is wrong."""
    violated_policies: Annotated[list[str] | None, Field(alias="violated-policies")] = None
    """With `quota_exceeded`: the quotas that are used up."""
