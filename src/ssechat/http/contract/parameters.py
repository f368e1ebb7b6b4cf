"""Parameters that several operations take."""

from ssechat.http.contract.operation import Parameter

CONVERSATION = Parameter(
    "id",
    "A conversation: `dm:<a>:<b>`, the names sorted by code point; or a group, `g:…`.",
    {"type": "string", "minLength": 1},
    "dm:alice:bob",
)
GROUP = Parameter("id", "A group.", {"type": "string", "minLength": 1}, "g:abcdefghijklmnopqrstuvwxyz")
SEQ = Parameter("seq", "A message's number in its conversation, from 1 on.", {"type": "integer", "minimum": 1}, "1")
USER = Parameter("user", "A user's name, in any spelling.", {"type": "string", "minLength": 1}, "bob")
USER_ID = Parameter("id", "A user's name, in any spelling.", {"type": "string", "minLength": 1}, "bob")
EMOJI = Parameter("emoji", "One emoji, percent-encoded.", {"type": "string", "minLength": 1}, "👍")
INVITE = Parameter(
    "invite", "The id of an invitation, not its secret.", {"type": "string", "minLength": 1}, "9f86d081884c7d65"
)

FEED = Parameter(
    "name",
    "The name of a feed.",
    {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[a-z0-9][a-z0-9._-]*$"},
    "scores",
)

SESSION = Parameter(
    "id", "The id of a session of yours.", {"type": "string", "minLength": 1}, "9f86d081884c7d659a2feaa0c55ad015"
)

IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "The same as `client_msg_id` in the body. If both are there, they must be equal.",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[\x20-\x7e]*$"},
)
IF_MATCH = Parameter(
    "If-Match",
    "ETags of the message (RFC 9110 §13.1.1): the request is met only if the message is one of them.",
)
LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    "The id of the last event that the client has; `0-0` asks for all that the server keeps. Any other text gets a "
    "`reset`. It has precedence over the query.",
)
IF_NONE_MATCH = Parameter("If-None-Match", "ETags of what the client has (RFC 9110 §13.1.2).")

REQUEST_ID = Parameter(
    "X-Request-Id", "The request's own, if it sent a well-formed one; else the server's. Its log names the request so."
)
ETAG = Parameter("ETag", "A strong validator of this version of the message, for `If-Match`.")
VALIDATOR = Parameter("ETag", "A validator of what is shown, for `If-None-Match`.")
SET_COOKIE = Parameter("Set-Cookie", "The session's cookie: HttpOnly, SameSite=Lax, and Secure under https.")
RETRY_AFTER = Parameter("Retry-After", "Seconds after which to try again.", {"type": "integer", "minimum": 0})
RATE_LIMIT_POLICY = Parameter("RateLimit-Policy", "The quotas that apply (draft-ietf-httpapi-ratelimit-headers).")
RATE_LIMIT = Parameter("RateLimit", "The quota that is used up, and the seconds until it has an attempt again.")
WWW_AUTHENTICATE = Parameter("WWW-Authenticate", "`Bearer`.")
ALLOW = Parameter("Allow", "The methods of this path.")
