"""Checks responses for faults of the server."""

import json
import re
from dataclasses import dataclass

from .answers import Answer
from .attack import Attack, identity
from .wire import Outcome

ANY_ID = re.compile(r"q-?\d+-(never)?\d+q")
"""Matches the request ids of all attacks."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A violation by the server."""

    kind: str
    """The kind of the fault, independent of the attack."""
    said: str
    by_bytes: bool = True
    """Whether a shortened attack can show it, too; otherwise it depends on the exact bytes."""


def statuses(outcome: Outcome) -> list[str]:
    """The status of each response, or the outcome without one, for counting."""
    found = ["stream" if answer.is_stream else str(answer.status) for answer in outcome.answers]
    if not found:
        found.append("left" if outcome.left else "closed" if outcome.closed else "nothing")
    return found


def judge(attack: Attack, outcome: Outcome) -> list[Fault]:
    """The faults that one attack has shown."""
    faults = []
    if outcome.trouble:
        kind = "hangs" if "within" in outcome.trouble else outcome.trouble.partition(":")[0]
        faults.append(Fault(f"{attack.name}: {kind}", outcome.trouble))
    faults += _misplaced(attack, outcome)
    for number, answer in enumerate(outcome.answers):
        expected = attack.allowed or frozenset() if number == 0 else frozenset()
        if answer.status >= 500 and answer.status not in expected and answer.status != 501:
            faults.append(Fault(f"{attack.name}: {answer.status}", answer.body[:200].decode("utf-8", "replace")))
        faults += _body(attack, answer)
    if outcome.left:
        return faults
    first = outcome.answers[0].status if outcome.answers else 0
    if attack.allowed is not None and first not in attack.allowed and not outcome.trouble:
        faults.append(Fault(f"{attack.name}: answered {first}", f"may be {sorted(attack.allowed)}", by_bytes=False))
    if attack.due and not outcome.trouble:
        faults += _lacking(attack, outcome)
    return faults


def _misplaced(attack: Attack, outcome: Outcome) -> list[Fault]:
    """Finds responses of other connections, and responses out of order."""
    ids, at = list(attack.ids), 0
    for answer in outcome.answers:
        if answer.id.startswith(identity(attack.number, "never")[:-1]):
            if answer.id not in ids and not attack.name.startswith("mutated"):
                return [
                    Fault(
                        f"{attack.name}: a body was taken for a request",
                        f"{answer.status} for {answer.id}",
                        by_bytes=False,
                    )
                ]
        elif ANY_ID.fullmatch(answer.id) and answer.id not in ids:
            return [Fault(f"{attack.name}: somebody else's answer", f"{answer.status} for {answer.id}")]
        if answer.id in ids:
            place = ids.index(answer.id)
            if place < at:
                return [Fault(f"{attack.name}: answers out of order", f"{answer.id} after {ids[at - 1]}")]
            at = place + 1
    return []


def _lacking(attack: Attack, outcome: Outcome) -> list[Fault]:
    """Finds complete requests without a response, although the server did not announce a close."""
    if outcome.answers and outcome.answers[-1].is_stream:
        return []
    given = [answer.id for answer in outcome.answers]
    lacks = [one for one in attack.ids if one not in given]
    told = any(
        answer.headers.get("connection") == b"close" and (answer.status != 400 or attack.refusable)
        for answer in outcome.answers
    )
    if not lacks or told:
        return []
    return [
        Fault(
            f"{attack.name}: no answer", f"{len(lacks)} of {len(attack.ids)} whole requests have none", by_bytes=False
        )
    ]


def _body(attack: Attack, answer: Answer) -> list[Fault]:
    """Finds bodies that do not match their type, and redirects, which the server never sends."""
    kind = answer.headers.get("content-type", b"").partition(b";")[0]
    if kind not in (b"application/json", b"application/problem+json") or not answer.body:
        return []
    try:
        content = json.loads(answer.body)
        content["status"] if kind.endswith(b"problem+json") else None
    except (ValueError, KeyError, TypeError):
        return [Fault(f"{attack.name}: not JSON", answer.body[:200].decode("utf-8", "replace"))]
    return []
