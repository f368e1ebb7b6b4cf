"""Commands that try an operation, made from the contract's examples: each runs as pasted into a shell.

The people and things of the examples (`bob`, `dm:alice:bob`) are variables of the shell, which a few lines on top of
each page set: so the commands fit any server, and can be pasted again and again.
"""

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import quote

from ssechat.http.contract import (
    accounts,
    conversations,
    events,
    feeds,
    invites,
    marks,
    members,
    messages,
    parameters,
    people,
    reactions,
    receipts,
    sessions,
    typing,
)
from ssechat.http.contract.operation import Credential, Operation

ADDRESS = "https://address.invalid"
"""Stands for the server's address in what is rendered once for all readers."""

WIDTH = 88
"""Characters of a line of a command, about."""

STAND_INS: Mapping[str, str] = {
    "alice": "$ME",
    "bob": "$YOU",
    "carol": "$THEM",
    "dave": "$NEW",
    "correct horse": "$PASSWORD",
    parameters.CONVERSATION.example: "dm:$ME:$YOU",
    parameters.GROUP.example: "$G",
    parameters.INVITE.example: "$INVITE",
    parameters.SESSION.example: "$SESSION",
    parameters.FEED.example: "$FEED",
    f"{parameters.GROUP.example}.…": "$SECRET",
    receipts.EVENT: "$EVENT",
}
"""What a command has in the place of a value of an example."""


class SignInMode(Enum):
    """How people get into a server."""

    OPEN = "open"
    """They sign up."""
    CLOSED = "closed"
    """They sign in."""
    TOKENS = "tokens"
    """They bring a token of another system."""


class Curl(NamedTuple):
    """A command, and the status of its answer."""

    lines: str
    status: int
    ends: bool
    """Whether it ends by itself: a stream does not."""


SHELL = f"""S={ADDRESS}
JSON='Content-Type: application/json'"""

FIELD = """field() { grep -o "\\"$1\\":[^,}]*" | head -1 | cut -d: -f2- | tr -d '"'; }"""
"""A function of the shell that takes a field out of an answer."""

PEOPLE: Mapping[SignInMode, str] = {
    SignInMode.OPEN: """ME=ada-$RANDOM$RANDOM YOU=bob-$RANDOM$RANDOM PASSWORD=pass-word-$RANDOM$RANDOM
enter() { curl -s "$S/v1/users" -H "$JSON" -d '{"name":"'$1'","password":"'$PASSWORD'"}' | field token; }
TOKEN=$(enter $ME) YOURS=$(enter $YOU)""",
    SignInMode.CLOSED: """ME=ada YOU=bob PASSWORD='the password of both'
enter() { curl -s "$S/v1/session" -H "$JSON" -d '{"name":"'$1'","password":"'$PASSWORD'"}' | field token; }
TOKEN=$(enter $ME) YOURS=$(enter $YOU)""",
    SignInMode.TOKENS: """ME=ada YOU=bob
TOKEN='a token for ada'
YOURS='a token for bob'""",
}

AUTH = 'AUTH="Authorization: Bearer $TOKEN"'
WRITE = '-H "$AUTH" -H "$JSON" -d'
MESSAGE = f"""SEQ=$(curl -s "$S/v1/messages" {WRITE} '{{"to":"'$YOU'","text":"good morning"}}' | field seq)"""
TO_ME = (
    """curl -s "$S/v1/messages" -H "Authorization: Bearer $YOURS" -H "$JSON" """
    """-d '{"to":"'$ME'","text":"good morning"}' > /dev/null"""
)
GROUP = """G=$(curl -s "$S/v1/conversations" %s '{"name":"Walk","members":[%s]}' | field id)"""
GROUP_OF_TWO = GROUP % (WRITE, """"'$YOU'\"""")
GROUP_OF_ONE = GROUP % (WRITE, "")
INVITE = 'INVITE=$(curl -s -X POST "$S/v1/conversations/$G/invites" -H "$AUTH" | field id)'
EVENT = """EVENT=$(curl -sNm 1 "$S/v1/events?last_event_id=0-0" -H "$AUTH" | sed -n 's/^id: //p' | tail -1)"""
NEW = "NEW=dave-$RANDOM$RANDOM"
FEED = """FEED=scores-$RANDOM$RANDOM
curl -s -X PUT "$S/v1/feeds/$FEED" -H "Authorization: Bearer $MAKER" -H "$JSON" -d '{"read":"public"}' > /dev/null"""
MAKER: Mapping[bool, str] = {True: "MAKER=$TOKEN", False: "MAKER='the admin token'"}
"""Who makes feeds: each user, or the admin only."""

THEM: Mapping[SignInMode, str] = {
    SignInMode.OPEN: "THEM=cleo-$RANDOM$RANDOM; enter $THEM > /dev/null",
    SignInMode.CLOSED: "THEM=cleo",
    SignInMode.TOKENS: "THEM=cleo",
}

NEEDS: Mapping[str, tuple[str, ...]] = {
    accounts.TOPIC: (NEW,),
    conversations.TOPIC: (MESSAGE, GROUP_OF_TWO),
    members.TOPIC: (GROUP_OF_TWO,),
    invites.TOPIC: (GROUP_OF_ONE, INVITE),
    messages.TOPIC: (MESSAGE,),
    reactions.TOPIC: (MESSAGE,),
    marks.TOPIC: (TO_ME,),
    receipts.TOPIC: (TO_ME, EVENT),
    typing.TOPIC: (MESSAGE,),
}
"""What the commands of a topic need, besides two people."""

SIGN_IN = """curl -s "$S/v1/session" -H "$JSON" -d '{"name":"'$ME'","password":"'$PASSWORD'"}'"""

BEFORE: Mapping[str, str] = {
    accounts.SIGN_OUT.id: f"LAPTOP=$({SIGN_IN} | field token)",
    sessions.END_SESSION.id: f'{SIGN_IN} > /dev/null\nSESSION=$(curl -s "$S/v1/me/sessions" -H "$AUTH" | field id)',
    invites.JOIN.id: 'SECRET=$(curl -s -X POST "$S/v1/conversations/$G/invites" -H "$AUTH" | field secret)',
}
"""A command that makes what one operation uses up."""

CALLERS: Mapping[str, str] = {
    accounts.SIGN_OUT.id: "$LAPTOP",
    invites.JOIN.id: "$YOURS",
    **dict.fromkeys((each.id for each in (feeds.PUT, feeds.PUBLISH, feeds.DELETE)), "$MAKER"),
}
"""The tokens of operations that another session tries."""

QUERIES: Mapping[str, str] = {
    events.STREAM.id: "last_event_id=0-0",
    feeds.STREAM.id: "last=20",
    messages.HISTORY.id: "limit=20",
    conversations.LIST.id: "limit=20",
    people.LIST_USERS.id: "ids=$ME,$YOU",
}


WITHOUT = (Credential.NONE, Credential.MAY_BE_USER, Credential.MAY_BE_USER_OR_TICKET)
"""Credentials that the commands do not send: the feed of the examples is public."""


def setup(operations: Iterable[Operation], sign_in: SignInMode, *, anybody_makes_feeds: bool = False) -> str:
    """The lines that the commands of these operations need, once in a shell."""
    listed = list(operations)
    if all(each.credential is Credential.NONE and each.body is None for each in listed):
        return SHELL.splitlines()[0]
    lines = [SHELL, FIELD, PEOPLE[sign_in], AUTH]
    for topic in dict.fromkeys(each.topic for each in listed):
        lines += NEEDS.get(topic, ())
        if topic == members.TOPIC:
            lines.append(THEM[sign_in])
        if topic == feeds.TOPIC:
            lines += (MAKER[anybody_makes_feeds], FEED)
    return "\n".join(lines)


def curl(operation: Operation) -> Curl:
    """The command that tries an operation."""
    ends = not operation.streams
    parts = ["curl -isw '\\n'" if ends else "curl -N"]
    if operation.method != ("GET" if operation.example is None else "POST"):
        parts[0] += f" -X {operation.method}"
    parts.append(f'"$S{_path(operation)}"')
    if operation.credential not in WITHOUT:
        caller = CALLERS.get(operation.id)
        parts.append('-H "$AUTH"' if caller is None else f'-H "Authorization: Bearer {caller}"')
    if operation.example is not None:
        parts += ['-H "$JSON"', f"-d '{_body(operation.example)}'"]
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) < WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(f"  {part}")
    before = BEFORE.get(operation.id)
    command = " \\\n".join(lines)
    return Curl(command if before is None else f"{before}\n{command}", next(iter(operation.answers)), ends)


def _path(operation: Operation) -> str:
    path = operation.path
    for one in operation.parameters:
        value = "$SEQ" if one is parameters.SEQ else STAND_INS.get(one.example) or quote(one.example, safe="")
        path = path.replace(f"{{{one.name}}}", value)
    query = QUERIES.get(operation.id)
    return path if query is None else f"{path}?{query}"


def _body(example: Any) -> str:
    """JSON between single quotation marks, which are closed around a variable."""
    text = json.dumps(example, ensure_ascii=False, separators=(",", ":")).replace("'", "'\\''")
    for value, variable in STAND_INS.items():
        text = text.replace(f'"{value}"', f"\"'{variable}'\"")
    return text
