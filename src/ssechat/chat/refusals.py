"""What the rules refuse with, where several rules refuse the same."""

from collections.abc import Sequence

from ssechat.errors import BadRequest, Conflict, Forbidden, NotFound, RequestError, TooMany
from ssechat.ids import UserId, direct_members
from ssechat.logs.refused import Absent, Blocked, GroupEnded, NoSuchGroup, NotAppended


def unknown_conversation(conversation: str) -> NotFound:
    return NotFound("unknown_conversation", f"There is no conversation {conversation!r}.")


def unknown_message(seq: int) -> NotFound:
    return NotFound("unknown_message", f"There is no message {seq} here that you may read.")


def unknown_users(users: Sequence[str]) -> NotFound:
    return NotFound("unknown_user", f"There is no user {_named(users)}.")


def not_a_member() -> Forbidden:
    return Forbidden("not_a_member", "You are not a member of this conversation.")


def not_allowed(what: str) -> Forbidden:
    return Forbidden("not_allowed", what)


def ended() -> Forbidden:
    return Forbidden("ended", "This group has ended: it can be read, and nothing in it can be changed.")


def too_large_for(what: str, most: int) -> Forbidden:
    return Forbidden("too_many_members", f"In groups of more than {most} members {what}.")


def blocked(conversation: str, by: Sequence[UserId], user: UserId) -> Forbidden:
    """The refusal to write across a block; `by` are those of the two who block. Who is blocked is not told that, nor
    by whom."""
    other = other_of(conversation, user)
    if user in by:
        return Forbidden("blocked", f"You have blocked {other!r}: unblock {other!r} to write to each other again.")
    return Forbidden("blocked", f"You and {other!r} cannot write to each other.")


def cannot_add(users: Sequence[UserId]) -> Forbidden:
    """The refusal to add these to a group: they have blocked who adds them."""
    return Forbidden(
        "blocked", f"You cannot add {_named(users)} to a group. By an invitation they can join themselves."
    )


def other_of(conversation: str, user: UserId) -> UserId:
    """The other one in a direct conversation; in one's notes oneself."""
    both = direct_members(conversation)
    assert both is not None
    return both[0] if both[1] == user else both[1]


def deleted(seq: int) -> Conflict:
    return Conflict("deleted", f"Message {seq} was deleted; nothing can be done with it any more.")


def wrong_field(field: str, message: str) -> BadRequest:
    """A field that is well formed, and cannot be as things stand."""
    return BadRequest("invalid_request", f"{field}: {message}", fields=[{"field": field, "message": message}])


def busy() -> TooMany:
    return TooMany("busy", "Too many people change this just now; try again.", status=503, retry_after=1)


def of_the_log(error: NotAppended, conversation: str, user: UserId) -> RequestError | None:
    """What the log's refusal is to this user; None if the rule must decide anew, or refuse in its own words."""
    if isinstance(error, NoSuchGroup):
        return unknown_conversation(conversation)
    if isinstance(error, GroupEnded):
        return ended()
    if isinstance(error, Blocked):
        return blocked(conversation, error.by, user)
    if isinstance(error, Absent) and user in error.users:
        return not_a_member()
    return None


def _named(users: Sequence[str]) -> str:
    """The first of them; a request may have a thousand."""
    return ", ".join(repr(user) for user in users[:10]) + (f" and {len(users) - 10} more" if len(users) > 10 else "")
