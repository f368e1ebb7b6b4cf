"""What Schemathesis takes for a fault and is none, each with its reason: no JSON Schema can say it."""

import re
from collections.abc import Sequence
from typing import NamedTuple


class Refusal(NamedTuple):
    """A refusal of a request that the schemas allow."""

    code: str
    detail: str
    """A regular expression of the problem's detail."""
    reason: str


REFUSALS: Sequence[Refusal] = (
    Refusal("idempotency_conflict", "", "depends on what was sent before under the same client_msg_id"),
    Refusal("not_an_emoji", "", "Unicode has the list of emoji, and no pattern is as long"),
    Refusal("deleted", "", "depends on what has become of the message"),
    Refusal("changed", "", "depends on what has become of the message that If-Match names"),
    Refusal("invalid_request", "^give one of `before`, `after` and `around`$", "parameters do not know each other"),
    Refusal("invalid_request", "^Idempotency-Key and client_msg_id differ", "neither do a header and a body"),
    Refusal("invalid_request", "^(text|name): this text is blank", r"`\S` is the ASCII part of what is blank"),
    Refusal("invalid_request", r"^\w+: give \d+ bytes at most", "a schema counts characters"),
    Refusal("invalid_request", "^(name|topic): give one line", "of Unicode's line ends a pattern has those of ASCII"),
    Refusal("invalid_request", r"^data: give ", "a schema counts no bytes of an object, and takes 1e400 for a number"),
    Refusal("invalid_request", "^mentions: only members can be mentioned", "depends on who is in the conversation"),
    Refusal("invalid_request", ": give a whole number$", "to a schema 7.0 is one; it must be written as one"),
    Refusal("invalid_request", "^reply_to: ", "depends on what messages there are"),
    Refusal("invalid_request", "^give either `ids` .* or `prefix`", "parameters do not know each other"),
    Refusal("invalid_request", "^give `watch`, too", "null is as good as no field; a schema asks for fields only"),
    Refusal("invalid_request", "^key: this feed has", "depends on what the feed is"),
    Refusal("keys_stay", "", "depends on what the feed is"),
    Refusal("feed_full", "", "depends on what the feed has"),
    Refusal("invalid_request", "^user: you cannot block yourself", "no schema knows who asks"),
)


class Acceptance(NamedTuple):
    """A success of a request that the schemas forbid."""

    operation: str
    reason: str


NAMES = "names in other forms of their letters (Unicode's NFKC) are accepted, and the pattern has the plain ones"

ACCEPTANCES: Sequence[Acceptance] = (
    Acceptance("sign_up", NAMES),
    Acceptance("send_message", NAMES),
    Acceptance("edit_message", NAMES),
    Acceptance("list_reactions", NAMES),
    Acceptance("put_feed", NAMES),
)


STAY = {
    "DELETE /v1/conversations/{id}": "an ended group can be read for 30 days",
    "DELETE /v1/conversations/{id}/messages/{seq}": "a tombstone keeps the place of a message",
}
"""What can be read after it was deleted, as promised."""


def refusal_is_allowed(code: str, detail: str) -> bool:
    """Whether a request that the schemas allow may be refused so."""
    return any(one.code == code and re.search(one.detail, detail) for one in REFUSALS)


def acceptance_is_allowed(operation: str, text: str) -> bool:
    """Whether a request with this text in it, which the schemas forbid, may succeed."""
    return not text.isascii() and any(one.operation == operation for one in ACCEPTANCES)
