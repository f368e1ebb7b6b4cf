"""What Schemathesis loads: who signs the requests, and what counts as a fault."""

import json
import os
from typing import Any

import httpx
import schemathesis
from schemathesis import AuthContext, Case, HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

from contract.attack.allowances import STAY, acceptance_is_allowed, refusal_is_allowed
from contract.attack.world import NAMES, PASSWORD, TOKEN, URL

ENDS_SESSIONS = "sign_out"


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """A token for every operation; for the one that ends sessions, one of a new session."""

    def get(self, case: Case[Any], context: AuthContext) -> str:
        if _id(case) != ENDS_SESSIONS:
            return os.environ[TOKEN]
        body = {"name": NAMES[0], "password": PASSWORD}
        answer = httpx.post(f"{os.environ[URL]}/v1/session", json=body, trust_env=False, timeout=20)
        token: str = answer.json()["token"]
        return token

    def set(self, case: Case[Any], data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """A likely value can have been put beside the field that excludes it: then the request is no valid one any more."""
    if case.meta is not None and case.meta.generation.mode.is_positive and _id(case) == "send_message":
        body = case.body
        if isinstance(body, dict) and body.get("to") is not None and body.get("conversation_id") is not None:
            case.body = {name: value for name, value in body.items() if name != "to"}
    return case


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Drops what is no fault (allowances.py)."""
    if isinstance(failure, RejectedPositiveData):
        problem = _problem(response)
        return not refusal_is_allowed(problem.get("code", ""), problem.get("detail", ""))
    if isinstance(failure, UseAfterFree):
        return failure.operation not in STAY
    if isinstance(failure, AcceptedNegativeData):
        sent = json.dumps([case.body, case.query], ensure_ascii=False, default=str)
        return not acceptance_is_allowed(_id(case), sent)
    return True


def _id(case: Case[Any]) -> str:
    return str(case.operation.definition.raw.get("operationId", ""))


def _problem(response: Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
