"""The names of all keys and channels in Redis.

What stands in braces is a hash tag: all keys of one conversation, or of one user, live in one slot of a
Redis Cluster, so that a script may touch them together. Scripts are given the first key of each, and put the
endings behind it themselves.
"""

CONTROL = "ssechat:control"
"""Channel on which workers tell each other of sign-outs."""

KEY_FINGERPRINT = "ssechat:key"
"""Which signing key the servers of this Redis share."""


def conversation(conversation_id: str) -> str:
    """Hash: type, `head`, newest `seq`, `delivered`, and the `weeks` in which client_msg_ids were recorded."""
    return f"{{c:{conversation_id}}}"


def log(conversation_id: str) -> str:
    """Stream: all that happened in a conversation, as small references."""
    return f"{{c:{conversation_id}}}:log"


def messages(conversation_id: str) -> str:
    """Hash: seq → the message as it stands now (JSON)."""
    return f"{{c:{conversation_id}}}:messages"


def sent(conversation_id: str, week: int) -> str:
    """Hash: `<sender>:<client_msg_id>` → digest of the request and the seq it became."""
    return f"{{c:{conversation_id}}}:sent:{week}"


def user(user_id: str) -> str:
    """Hash: account and inbox `head`."""
    return f"{{u:{user_id}}}"


def inbox(user_id: str) -> str:
    """Stream: one user's events, as references into the conversations' logs."""
    return f"{{u:{user_id}}}:inbox"


def user_conversations(user_id: str) -> str:
    """Hash: conversation → `<entry last delivered> <n it got in the inbox>`."""
    return f"{{u:{user_id}}}:conversations"


def live(user_id: str) -> str:
    """Channel: wake-ups for the streams of one user."""
    return f"{{u:{user_id}}}:live"


def user_of_channel(channel: bytes) -> str | None:
    """The user whose `live` channel this is."""
    text = channel.decode()
    return text[3:-6] if text.startswith("{u:") and text.endswith("}:live") else None


def session(session_id: str) -> str:
    """String with a TTL: the user who is signed in."""
    return f"{{s:{session_id}}}"


def quota(kind: str, of: str) -> str:
    """String with a TTL: when this quota of an address, an account or a user will be full again."""
    return f"{{q:{kind}:{of}}}"


def places(account: str) -> str:
    """Sorted set with a TTL: places from which an account (its name's digest) has come in, by when it last did."""
    return f"{{p:{account}}}"


def ticket(digest: str) -> str:
    """String with a TTL: the identity that a single-use stream ticket stands for."""
    return f"{{t:{digest}}}"
