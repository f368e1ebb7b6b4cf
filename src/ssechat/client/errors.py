"""What the client raises."""

import json

import httpx

from ssechat.errors import ChatError
from ssechat.problem_details import problem_text


class ClientError(ChatError):
    """The server refused a request, or could not be reached; the message is for the user."""

    def __init__(self, text: str, code: str = "") -> None:
        """`code` is that of the server's problem (RFC 9457), and empty if there is none."""
        super().__init__(text)
        self.code = code

    @classmethod
    def refusal(cls, response: httpx.Response) -> "ClientError":
        """The error for a response that is a refusal."""
        try:
            problem = json.loads(response.content)
        except (ValueError, RecursionError, httpx.ResponseNotRead):
            problem = None
        return cls(problem_text(response), str(problem.get("code", "")) if isinstance(problem, dict) else "")
