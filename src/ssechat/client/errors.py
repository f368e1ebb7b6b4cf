"""What the client raises.

ChatError
├── SettingsError        an argument cannot be used, and nothing was sent
└── ClientError          the base of what goes wrong between client and server
    ├── Refused          the server said no: the same request would be refused again
    └── NotConfirmed     it is not known whether the request was met
"""

from enum import StrEnum
from typing import TypedDict

import httpx

from ssechat.errors import ChatError
from ssechat.problem_details import problem_of, problem_text, retry_after

ANOTHER_FORM = "the server's response has another form; is this the address of an ssechat server?"


class Facts(TypedDict, total=False):
    """What a response says of a failure, as errors have it; empty if there was none."""

    code: str
    status: int
    retry_after: float | None


def facts_of(response: httpx.Response) -> Facts:
    """What a response says of a failure."""
    return {
        "code": str(problem_of(response).get("code", "")),
        "status": response.status_code,
        "retry_after": retry_after(response),
    }


class ClientError(ChatError):
    """The server refused a request, could not be reached, or is not a chat server; the message is for the user."""

    def __init__(self, text: str, *, code: str = "", status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.code = code
        """That of the server's problem (RFC 9457), `not_a_member` for example; empty if there is none."""
        self.status = status
        """That of the HTTP response; 0 if there was none."""
        self.retry_after = retry_after
        """Seconds after which the server asked to be tried again; None if it did not say."""


class Refused(ClientError):
    """The server said no, and would say so again: `code` is why, `status` the class of it."""

    @classmethod
    def by(cls, response: httpx.Response) -> "Refused":
        """The error for a response that is a refusal."""
        return cls(problem_text(response), **facts_of(response))


class Doubt(StrEnum):
    """What may have been done by a request that was not confirmed."""

    NOTHING = ""
    MESSAGE = "The message may have been sent: repeat it with client_msg_id={id!r}, and it is sent once"
    GROUP = "The group may have been made: repeat it with client_msg_id={id!r}, and it is made once"
    CHANGE = "It may have been done; the same call again does no harm"
    EVENT = "The event may have been published: repeat it with id={id!r}, and it is published once"
    INVITE = "The invitation may have been made: groups.invites() lists those there are"


class NotConfirmed(ClientError):
    """The server did not answer in time, or not to this request: it may have been met.

    To repeat a send, or the making of a group, give `client_msg_id` with it: then it is done once.
    """

    def __init__(
        self,
        reason: str,
        doubt: Doubt,
        client_msg_id: str = "",
        *,
        code: str = "",
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        text = f"{reason}. {doubt.format(id=client_msg_id)}".strip()
        super().__init__(text, code=code, status=status, retry_after=retry_after)
        self.reason = reason
        """The message without what to do."""
        self.doubt = doubt
        self.client_msg_id = client_msg_id
        """What to repeat a send or the making of a group with; empty for other requests."""
