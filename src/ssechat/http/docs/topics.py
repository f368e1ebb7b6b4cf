"""The topics of the operations, and the pages that they stand on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ssechat.http.contract import (
    accounts,
    blocks,
    conversations,
    events,
    feeds,
    invites,
    marks,
    members,
    messages,
    people,
    presence,
    reactions,
    receipts,
    server,
    typing,
)
from ssechat.http.contract.operation import Operation

PAGES: Mapping[str, tuple[str, str]] = {
    accounts.TOPIC: (
        "accounts",
        "People, and the sessions in which they are signed in. A session's token goes into the header `Authorization: "
        "Bearer …`; browsers use its cookie instead. The cookie's name follows from the server's key, so that two "
        "servers on one host do not sign each other's people out; over https it begins with `__Host-`, and no other "
        "host can set it. A person has one name, in lower case: `Bob`, `BOB` and `Ｂｏｂ` are `bob`, wherever they are "
        "written.",
    ),
    people.TOPIC: (
        "profiles",
        "What people are called and look like. A display name is in any script, and two people may have the same one: "
        "show the id beside it.",
    ),
    messages.TOPIC: (
        "messages",
        "A message has a place in its conversation, its `seq`, which never changes, and a `version`, which grows with "
        "each change. What is already as a request wants it is a success, and makes no event. Who has left a group, or "
        "was removed, reads what was sent before that; what was changed since is a tombstone.",
    ),
    events.TOPIC: (
        "events",
        "One stream has everything that concerns you, in all conversations.",
    ),
    conversations.TOPIC: (
        "conversations",
        "A direct conversation exists as soon as one of the two writes; its id is `dm:<a>:<b>`, the names sorted by "
        "code point, one name twice for notes to oneself. A group is made, and its id begins with `g:`.",
    ),
    members.TOPIC: (
        "members",
        "Who is in a group. Owners may do everything; admins rename the group, invite, add and remove members, and "
        "delete what members wrote; members write, react and leave.",
    ),
    invites.TOPIC: (
        "invitations",
        "Who has the secret of an invitation can join the group: once, a number of times, or until a time.",
    ),
    marks.TOPIC: (
        "unread",
        "One mark a conversation says up to where you have read it, on all your devices. What is unread is counted "
        "nowhere: it is the newest `seq` less the mark, so it cannot drift. Each event of a message and each `mark` "
        "says what is left with it, as a fresh `GET` would: a client takes that over and counts nothing. What was "
        "written before you joined a group is not unread, and a mention counts as long as its message has it.",
    ),
    receipts.TOPIC: (
        "receipts",
        "Up to where the others have read a conversation, and have it on a device. They are shown in `receipts` of "
        "`GET /v1/conversations/{id}`, and told by events `receipt`, in conversations of up to 32 members. A receipt "
        "is the mark that its user sees, so it cannot drift from it. Who switches receipts off (`PATCH /v1/me`) "
        "gives none and gets none; switched on again, they say what is so by then. There are none across a block. "
        "Who was not yet in a group when a message was written is not asked for: `since` says so.",
    ),
    typing.TOPIC: (
        "typing",
        "Who is writing just now. It is told to those who have a stream open, and stored nowhere.",
    ),
    blocks.TOPIC: (
        "blocks",
        "Who shall not write to you, nor be written to by you, directly. What was written stays, and both can read it; "
        "groups are as before, but whom you block cannot add you to one. It counts both ways, and nobody is told: the "
        "other one reads that you cannot write to each other, or that it cannot add you.",
    ),
    presence.TOPIC: (
        "presence",
        "Who is there. Nobody is told unasked: a client says whom it shows just now, and hears of these. Who is there "
        "has a stream open, on any device.",
    ),
    feeds.TOPIC: (
        "feeds",
        "One to many: scores, tickers, deployments, banners. A feed has a stream of its own, which goes on after a "
        "disconnect where it was, as yours does. With `keyed` it is a table: each event is the newest value of its "
        "`key`, and who is slow gets the newest values, not what they replaced. A page reads a public feed with `new "
        "EventSource(…)`, whatever its origin.",
    ),
    reactions.TOPIC: ("reactions", "One emoji of one person to one message; one person can react with several."),
    server.TOPIC: ("server", "What the server says of itself. Nothing here needs a credential."),
}
"""The name of each topic's page, and what it begins with. A topic that is not here has a page all the same."""


class Topic(NamedTuple):
    """A page of operations."""

    title: str
    name: str
    """As in its path: `/docs/messages`."""
    about: str
    operations: Sequence[Operation]

    @property
    def path(self) -> str:
        return f"/docs/{self.name}"


def topics_of(operations: Iterable[Operation]) -> list[Topic]:
    """The operations by topic: first those in `PAGES`, in that order."""
    by_title: dict[str, list[Operation]] = {title: [] for title in PAGES}
    for each in operations:
        by_title.setdefault(each.topic, []).append(each)
    found = []
    for title, listed in by_title.items():
        name, about = PAGES.get(title, (re.sub(r"[^a-z0-9]+", "-", title.lower()), ""))
        if listed:
            found.append(Topic(title, name, about, listed))
    return found
