"""The errors of the API: each code with its status, what it means, and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that a client can get: `application/problem+json` (RFC 9457) with a stable code."""

    code: str
    status: int
    what: str
    """What it means and what to do, in a sentence or two."""


INVALID_REQUEST = Problem(
    "invalid_request",
    422,
    "The body or the query is wrong; `fields` names each field and what is wrong with it.",
)
IDEMPOTENCY_CONFLICT = Problem(
    "idempotency_conflict",
    422,
    "The `client_msg_id` was used for another message or group, or the `id` for another event of the feed. Use a new "
    "one for a new message, group or event.",
)
NOT_AN_EMOJI = Problem("not_an_emoji", 422, "React with one emoji, percent-encoded in the path.")

UNAUTHORIZED = Problem("unauthorized", 401, "There is no credential. Sign in, or send a token.")
WRONG_CREDENTIALS = Problem("wrong_credentials", 401, "The name or the password is wrong.")
TOKEN_EXPIRED = Problem("token_expired", 401, "Get a new token.")
INVALID_TOKEN = Problem("invalid_token", 401, "The token is not one of this server's, or is damaged.")
SIGNED_OUT = Problem("signed_out", 401, "The session has ended. Sign in again.")
TOKEN_OF_UNKNOWN_USER = Problem("unknown_user", 401, "The token's user has never signed up.")
INVALID_TICKET = Problem("invalid_ticket", 401, "The ticket was used or is too old. Get a new one.")

FORBIDDEN_ORIGIN = Problem("forbidden_origin", 403, "Pages of this origin may not write here.")
SIGN_UP_CLOSED = Problem("sign_up_closed", 403, "The server takes no sign-ups.")
WRONG_PASSWORD = Problem("wrong_password", 403, "The old password is wrong.")
NO_PASSWORD = Problem("no_password", 403, "The account has no password: it was made by a token.")
SIGN_IN_CLOSED = Problem("sign_in_closed", 403, "The server takes the tokens of another system only.")
DIRECTORY_OFF = Problem(
    "directory_off", 403, "The server has no directory: ask people for their names. `ids` works all the same."
)
NOT_A_MEMBER = Problem("not_a_member", 403, "You are not a member of this conversation.")
NOT_A_GROUP = Problem(
    "not_a_group", 403, "This is a direct conversation, which has no name and always the same members."
)
NOT_ALLOWED = Problem(
    "not_allowed", 403, "Your role in the group does not allow it, or the message is somebody else's."
)
BLOCKED = Problem(
    "blocked",
    403,
    "You have blocked the user, or cannot write to each other; or you cannot add these users to a group. `detail` says "
    "which, and whom.",
)
TOO_MANY_BLOCKS = Problem(
    "too_many_blocks",
    403,
    "You have blocked as many people as you may; `GET /v1/limits` says how many. Unblock one.",
)
FEEDS_CLOSED = Problem("feeds_closed", 403, "On this server the admin makes feeds, with the admin token.")
NOT_YOUR_FEED = Problem("not_your_feed", 403, "The feed is somebody else's: who made it, and the admin, change it.")
NOT_A_PUBLISHER = Problem(
    "not_a_publisher", 403, "Who made the feed, its `publishers` and the admin publish in it; you are none of these."
)
TOO_MANY_FEEDS = Problem(
    "too_many_feeds",
    403,
    "You, or the server, have as many feeds as may be; `GET /v1/limits` says how many. Delete one.",
)
FEED_FULL = Problem(
    "feed_full",
    403,
    "The feed has as many keys, or as many bytes of values, as it may have; `GET /v1/limits` says how many. Delete a "
    "key with `data` null.",
)
ENDED = Problem("ended", 403, "The group has ended: it can be read only.")
GROUP_FULL = Problem("group_full", 403, "The group cannot have so many members.")
TOO_MANY_MEMBERS = Problem(
    "too_many_members", 403, "The group has too many members for this; `GET /v1/limits` says how many it may have."
)
REMOVED = Problem("removed", 403, "You were removed from this group: an owner or admin can add you again.")
INVITE_EXPIRED = Problem("invite_expired", 403, "The invitation has expired. Ask for another one.")
INVITE_USED_UP = Problem("invite_used_up", 403, "The invitation was used as often as it may be. Ask for another one.")
TOO_MANY_REACTIONS = Problem(
    "too_many_reactions",
    403,
    "The message has as many kinds of reactions as it may have. React with one of them.",
)

UNKNOWN_USER = Problem("unknown_user", 404, "There is no such user.")
NO_SESSION = Problem(
    "no_session", 404, "The token was made by `ssechat token`: it has no session that could be signed out."
)
UNKNOWN_SESSION = Problem("unknown_session", 404, "You have no such session, or it has ended.")
UNKNOWN_CONVERSATION = Problem("unknown_conversation", 404, "There is no such conversation.")
UNKNOWN_MESSAGE = Problem("unknown_message", 404, "There is no such message, or you may not read or change it.")
UNKNOWN_FEED = Problem("unknown_feed", 404, "There is no such feed.")
UNKNOWN_EVENT = Problem(
    "unknown_event", 404, "Your inbox has no event with this id, or does not keep it any more. Send a newer one."
)
UNKNOWN_INVITE = Problem("unknown_invite", 404, "There is no such invitation, or it was revoked.")
NOT_FOUND = Problem("not_found", 404, "There is nothing under this path.")

METHOD_NOT_ALLOWED = Problem("method_not_allowed", 405, "The `Allow` header lists the methods of this path.")

NAME_TAKEN = Problem("name_taken", 409, "Somebody has this name. Sign in, or choose another.")
PASSWORD_CHANGED = Problem(
    "password_changed", 409, "The password was changed elsewhere in this moment, and this change was not made."
)
LAST_OWNER = Problem(
    "last_owner",
    409,
    "The group's only owner stays while others are there. Make another one an owner, or end the group.",
)
TOO_MANY_INVITES = Problem("too_many_invites", 409, "The group has as many invitations as it may have. Revoke one.")
KEYS_STAY = Problem(
    "keys_stay", 409, "A feed has keys or has none for as long as there is. Delete it first to make another one."
)
DELETED = Problem("deleted", 409, "The message was deleted: it cannot be changed any more.")

CHANGED = Problem("changed", 412, "The message is not the one that `If-Match` names. Read it again, and decide anew.")

TOO_LARGE = Problem("too_large", 413, "The body has more bytes than `GET /v1/limits` says.")
UNSUPPORTED_MEDIA_TYPE = Problem("unsupported_media_type", 415, "Send `Content-Type: application/json`.")
QUOTA_EXCEEDED = Problem(
    "quota_exceeded",
    429,
    "Too many attempts, or a user's changes reach too many inboxes. `Retry-After` says in how many seconds to send the "
    "same request again, `RateLimit-Policy` and `RateLimit` which quota it was.",
)

INTERNAL_ERROR = Problem(
    "internal_error", 500, "A bug. The server's log has more, under the `request_id` of the answer."
)
UNAVAILABLE = Problem(
    "unavailable",
    503,
    "The server cannot reach its storage, or its storage refuses. Whether a change was made is not known: repeat the "
    "request, a message or a new group with the same `client_msg_id`.",
)
BUSY = Problem(
    "busy",
    503,
    "Too many people sign in, or change the same group or message, just now. Try again after `Retry-After`.",
)
ISSUER_UNAVAILABLE = Problem(
    "issuer_unavailable",
    503,
    "The server cannot fetch the keys of the system that signs the tokens, so whether yours is valid is not known. Try "
    "again after `Retry-After`.",
)
FULL = Problem(
    "full",
    503,
    "The server is full: it accepts no more connections or requests just now. Or so many of your requests wait for "
    "others of yours that it takes no more of them: await answers. Try again after `Retry-After`.",
)
METRICS_LOCKED = Problem("metrics_locked", 503, "Another worker holds the lock of the metrics. Scrape again.")

TOO_SLOW = Problem("too_slow", 408, "The request was not complete in time. Send it again.")
REPEATED_HEADER = Problem("repeated_header", 400, "A header that must not be repeated is repeated. Send it once.")
HEAD_TOO_LARGE = Problem("head_too_large", 431, "The request has too many headers, or too many bytes of them.")
PATH_TOO_LONG = Problem("path_too_long", 414, "The path is too long.")
TOO_MUCH_FRAMING = Problem("too_much_framing", 400, "The body comes in too many small chunks. Send larger ones.")
MALFORMED = Problem("malformed", 400, "This is no HTTP/1.1 request.")
NO_PROXY = Problem("no_proxy", 400, "The server takes no `CONNECT`.")
UNKNOWN_VERSION = Problem("unknown_version", 400, "The server speaks HTTP/1.1.")
INVALID_HOST = Problem("invalid_host", 400, "A request has one valid `Host` header.")
INVALID_FRAMING = Problem("invalid_framing", 400, "HTTP/1.0 has no `Transfer-Encoding`. Send a `Content-Length`.")
UNKNOWN_TRANSFER_ENCODING = Problem("unknown_transfer_encoding", 501, "The only transfer coding is `chunked`.")
INVALID_TARGET = Problem(
    "invalid_target",
    400,
    "A request's target is a path that begins with a slash, in ASCII, without a fragment.",
)

OF_CREDENTIALS = (UNAUTHORIZED, TOKEN_EXPIRED, INVALID_TOKEN, SIGNED_OUT, TOKEN_OF_UNKNOWN_USER)
"""What any operation that needs a credential can answer."""

OF_BODIES = (TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST)
"""What any operation that takes a body can answer."""

OF_HEADERS = (REPEATED_HEADER,)
"""What any operation can answer that looks at headers which may stand there only once."""

OF_ALL = (INTERNAL_ERROR,)
"""What any operation can answer."""

OF_CONNECTIONS = (
    MALFORMED,
    INVALID_HOST,
    INVALID_TARGET,
    INVALID_FRAMING,
    TOO_MUCH_FRAMING,
    NO_PROXY,
    UNKNOWN_VERSION,
    TOO_SLOW,
    HEAD_TOO_LARGE,
    UNKNOWN_TRANSFER_ENCODING,
    FULL,
)
"""What the server answers before it knows which operation is meant: the request cannot be read."""

OF_PATHS = (NOT_FOUND, METHOD_NOT_ALLOWED, PATH_TOO_LONG)
"""What the server answers where no operation matches the path and the method."""
