"""The requests behind each line of the table, and what their answers must and may hold."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rights.model import NONE, Marks, View
from rights.story import ADAM, EMOJI, LARS, MIA, NEWS, OLGA, PASSWORD, PLANS, STEN, Story
from rights.table import Row

NO_SEQ = 999_999
UNUSED = EMOJI[-1]
"""An emoji that nobody reacts with."""


@dataclass
class Probe:
    """A request, and the marks in its answer."""

    target: str
    marks: Marks = NONE
    body: object = None
    token: str | None = None
    """If it is not the one that the person uses otherwise."""
    messages: Sequence[int] | None = None
    """The messages that must be in the answer, in order; None: any, none too."""


def probes(story: Story, who: str, row: Row) -> Iterable[Probe]:
    """The requests of this person for this line: none if the line has no case for it."""
    path = f"{row.method} {row.path.removeprefix('/v1/conversations/{id}')}"
    made = _others(story, who, row) if path == f"{row.method} {row.path}" else _of_group(story, who, path, row.case)
    return list(made)


def _of_group(story: Story, who: str, path: str, case: str) -> Iterator[Probe]:
    """Lines below `/v1/conversations/{id}`. What is allowed changes nothing: the story makes all changes."""
    group = story.group
    at = story.path
    name, last = group.of_name(who), group.of_last_message(who)
    match path, case:
        case "GET ", "":
            yield Probe(at(), name | last)
        case "GET ", "of nobody":
            yield Probe(f"/v1/conversations/g:{'a' * 26}")
        case "PATCH ", _:
            body = {"name": story.name} if group.standing(who) in ("admin", "owner") else {"name": "wrong"}
            yield Probe(at(), name | last if group.is_in(who) else NONE, body)
        case "DELETE ", _:
            yield Probe(at())
        case "GET /members", _:
            yield Probe(at("/members"))
            yield Probe(at("/members?limit=2&after=lars"))
        case "POST /members", "":
            yield Probe(at("/members"), body={"users": [MIA, OLGA]})
        case "POST /members", "oneself":
            yield Probe(at("/members"), body={"users": [who or STEN]})
        case "PUT /members/{user}", "":
            yield Probe(at(f"/members/{MIA}"), body={})
        case "PUT /members/{user}", "role":
            yield Probe(at(f"/members/{MIA}"), body={"role": "member"})
        case "DELETE /members/{user}", _:
            if not (group.ended and who == OLGA):  # who would leave; the story has somebody do that
                yield Probe(at(f"/members/{OLGA}"))
        case "POST /invites", _:
            yield Probe(at("/invites"), body={"expires_in": 60})
        case "GET /invites", _:
            yield Probe(at("/invites"))
        case "DELETE /invites/{invite}", _:
            spare = story.spare_invite if group.standing(who) in ("admin", "owner") else story.invites["open"]
            yield Probe(at(f"/invites/{spare}"))
        case "PUT /read", _:
            yield Probe(at("/read"), body={"up_to": 1})
        case "PUT /mute", _:
            yield Probe(at("/mute"), body={"muted": False})
        case "POST /typing", _:
            yield Probe(at("/typing"), body={})
        case "GET /messages", _:
            yield from _history(story, who)
        case _:
            yield from _of_message(story, who, path, case)


def _history(story: Story, who: str) -> Iterator[Probe]:
    group = story.group
    seen = [seq for seq in group.messages if group.views(who, seq) != {View.NOT}]
    sure = [seq for seq in seen if View.NOT not in group.views(who, seq)]

    def probe(query: str, wanted: Sequence[int]) -> Probe:
        marks = NONE
        for seq in wanted:
            marks |= group.of_message(who, seq)
        if seen != sure:  # what may be read or not can come in between
            return Probe(story.path(f"/messages?{query}"), Marks(may=group.of_messages(who).may))
        return Probe(story.path(f"/messages?{query}"), marks, messages=wanted)

    yield probe("limit=200", seen)
    yield probe("limit=3", seen[-3:])
    yield probe("after=0&limit=200", seen)
    yield probe("after=0&limit=2", seen[:2])
    for seq in (1, group.seq // 2, group.seq):
        yield probe(f"before={seq}&limit=200", [one for one in seen if one < seq])
        yield probe(f"after={seq}&limit=200", [one for one in seen if one > seq])
    for seq in range(1, group.seq + 1, 3):
        yield Probe(story.path(f"/messages?around={seq}&limit=3"), Marks(may=group.of_messages(who).may))
    yield probe(f"around={group.seq}&limit=200", seen)


def _of_message(story: Story, who: str, path: str, case: str) -> Iterator[Probe]:
    group = story.group
    method, _, rest = path.partition(" ")
    for seq in _asked(story, who, method, case):
        emoji = story.reacted[who][1] if case == "there already" else UNUSED
        yield Probe(
            story.path(rest.format(seq=seq, emoji=quote(emoji))),
            _marks(story, who, seq, path, case),
            _body(story, seq, method, case),
            messages=[seq] if path.endswith("{seq}") and seq in group.messages else None,
        )


def _asked(story: Story, who: str, method: str, case: str) -> Sequence[int]:
    """The messages that are asked for."""
    group = story.group
    read = [seq for seq in group.seqs(who, View.WHOLE) if group.may_change(who, seq)]
    stand = [seq for seq in read if not story.is_deleted(seq)]
    match case:
        case "read":
            return group.seqs(who, View.WHOLE, View.STONE)
        case "not read":
            unread = group.seqs(who, View.NOT)
            return unread if method == "GET" else [*unread[:1], *unread[-1:]]
        case "of an earlier time":
            seen = group.seqs(who, View.WHOLE, View.STONE)
            return [seq for seq in seen if group.is_in(who) and not group.may_change(who, seq)]
        case "nothing":
            return [NO_SEQ, group.seq + 1]
        case "one's own, to what it is":
            return [seq for seq in stand if story.sender(seq) == who]
        case "one's own, deleted":
            return [seq for seq in read if story.sender(seq) == who and story.is_deleted(seq)]
        case "another's":
            return [seq for seq in stand if story.sender(seq) != who]
        case "an owner's":
            return [seq for seq in stand if story.sender(seq) == OLGA != who]
        case "an admin's":
            return [seq for seq in stand if story.sender(seq) == ADAM != who]
        case "there already":
            return [seq for seq in stand if story.reacted.get(who, (0, ""))[0] == seq]
        case "to a deleted message":
            return [seq for seq in read if story.is_deleted(seq)]
        case "not there":
            return stand[-2:]
    raise LookupError(f"no messages are asked for with {method} | {case}")


def _marks(story: Story, who: str, seq: int, path: str, case: str) -> Marks:
    """What the answer of a message's route holds, of those that succeed: the message, or only its reactions."""
    group = story.group
    if seq not in group.messages:
        return NONE
    whole = group.of_message(who, seq)
    if not path.startswith("GET"):
        succeeds = group.is_in(who) and case in ("one's own, to what it is", "there already", "not there")
        return whole if succeeds else NONE
    if not path.endswith("/reactions"):
        return whole
    emoji = frozenset(mark for mark in whole.may if not mark.startswith("mark"))
    return Marks(emoji & whole.must, emoji)


def _body(story: Story, seq: int, method: str, case: str) -> object:
    if method == "PUT":
        return {}
    if method != "PATCH":
        return None
    if case != "one's own, to what it is":
        return {"text": "wrong"}
    message = story.group.messages[seq][-1].message
    return {"text": message["text"], "data": message["data"]}


def _others(story: Story, who: str, row: Row) -> Iterator[Probe]:
    """Lines that are not below `/v1/conversations/{id}`."""
    group = story.group
    match f"{row.method} {row.path}", row.case:
        case "GET /v1/conversations", _:
            there = group.is_in(who)
            yield Probe("/v1/conversations", group.of_name(who) | group.of_last_message(who) if there else NONE)
        case "POST /v1/conversations", _:
            yield Probe(row.path, body={"name": "beside", "members": [], "client_msg_id": "beside"})
        case "POST /v1/invites/join", "used up":
            what = "open" if group.standing(who) == "removed" else "used up"
            marks = group.of_name(who) | group.of_last_message(who) if group.is_in(who) else NONE
            yield Probe(row.path, marks, {"secret": story.secrets[what]})
        case "POST /v1/invites/join", _:
            marks = group.of_name(who) | group.of_last_message(who) if group.is_in(who) else NONE
            yield Probe(row.path, marks, {"secret": f"{group.id}.{'0' * 26}"})
        case "POST /v1/messages", _:
            yield from _sends(story, who, row.case)
        case "GET /v1/events", _:
            if not who:
                yield Probe(row.path)  # the streams of others are replays.py's
        case "POST /v1/tickets", _:
            yield Probe(row.path, body={})
        case "POST /v1/users", _:
            yield Probe(row.path, body={"name": who or MIA, "password": PASSWORD})
        case "GET /v1/users", _:
            yield Probe(f"/v1/users?ids={MIA},{OLGA},nobody")
        case "GET /v1/users/{user}", _:
            yield Probe(f"/v1/users/{MIA}")
        case "GET /v1/feeds/{name}" | "GET /v1/feeds/{name}/events", "":
            mark = frozenset({story.of_feed})
            yield Probe(row.path.format(name=PLANS), Marks(mark, mark) if group.is_in(who) else NONE)
        case "GET /v1/feeds/{name}", "public":
            yield Probe(row.path.format(name=NEWS))
        case "GET /v1/feeds/{name}" | "GET /v1/feeds/{name}/events", _:
            yield Probe(row.path.format(name="nothing"))
        case "PUT /v1/feeds/{name}", case:
            yield Probe(row.path.format(name="mine" if case else PLANS), body={"read": "public"})
        case "DELETE /v1/feeds/{name}", _:
            yield Probe(row.path.format(name=PLANS))
        case "POST /v1/feeds/{name}/events", _:
            yield Probe(row.path.format(name=PLANS), body={"data": "wrong"})
        case "POST /v1/ack", _:
            yield Probe(row.path, body={"id": "77-77"})
        case "PUT /v1/presence", "in the group":
            yield Probe(row.path, body={"watch": [MIA, OLGA], "in": group.id})
        case "PUT /v1/presence", "in a group of nobody":
            yield Probe(row.path, body={"watch": [MIA], "in": f"g:{'a' * 26}"})
        case "PUT /v1/presence", _:
            yield Probe(row.path, body={"watch": [MIA, STEN], "device": "beside"})
        case "PATCH /v1/me", _:
            yield Probe(row.path, body={"display_name": who or STEN})
        case "PUT /v1/me/password", _:
            yield Probe(row.path, body={"old": "wrong horse"})
        case "DELETE /v1/me/sessions/{id}", _:
            others = [session for person, session in story.sessions.items() if person != who]
            yield Probe(f"/v1/me/sessions/{others[0]}")
        case "PUT /v1/blocks/{user}", "":
            yield Probe(f"/v1/blocks/{MIA if who == STEN else STEN}")  # neither of whom adds the other to a group
        case "PUT /v1/blocks/{user}", case:
            yield Probe(f"/v1/blocks/{who if case == 'oneself' else 'nobody'}")
        case "DELETE /v1/blocks/{user}", _:
            yield Probe(f"/v1/blocks/{LARS}")
        case "POST /v1/session", _:
            yield Probe(row.path, body={"name": who, "password": PASSWORD})
        case "DELETE /v1/session", _:
            yield Probe(row.path, token=story.spare_tokens.get(who, ""))
        case "GET /docs/{page}" | "GET /docs/events/{event}", _:
            yield Probe(row.path.format(page="errors", event="message"))
        case "GET /examples/{example}", _:
            yield Probe("/examples/prices")
        case "GET /web/", _:
            yield Probe("/web/nothing.js")
        case _:
            yield Probe(row.path)


def _sends(story: Story, who: str, case: str) -> Iterator[Probe]:
    group, target = story.group, "/v1/messages"
    new: dict[str, Any] = {"conversation_id": group.id, "text": "wrong", "client_msg_id": f"never {case[-5:]}"}
    unread = group.seqs(who, View.NOT)
    match case:
        case "new":
            yield Probe(target, body=new)
        case "reply to nothing":
            yield Probe(target, body={**new, "reply_to": NO_SEQ})
        case "reply to what is not read":
            for seq in (*unread[:1], *unread[-1:]):
                yield Probe(target, body={**new, "reply_to": seq})
        case "again" if (sender := who or OLGA) in story.sent:
            seq = story.sent_as[sender]
            yield Probe(target, group.of_message(who, seq), story.sent[sender], messages=[seq])
        case "again, but another" if (sender := who or OLGA) in story.sent:
            yield Probe(target, body={**story.sent[sender], "text": "other"})
