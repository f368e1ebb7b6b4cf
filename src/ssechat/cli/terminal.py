"""Events and messages as lines for people, safe to print on a terminal."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ssechat.problem_details import shortened
from ssechat.texts.printable import indented, one_line

# Names that a line shows of a longer list.
MOST_NAMES = 10


def message_line(message: Mapping[str, Any], name: str | None = None, change: str = "") -> str:
    """A message as a line: `14:03 dm:alice:bob #7  alice: hi`.

    Behind the number stands in parentheses what is to be said of the message: `(edited; 👍 2; 3 unread)`, the last
    in an event only. All that strangers wrote comes after the sender, or in quotes (`name`, of a group).
    """
    place = f"{_clock(message.get('created_at'))}{_place(message, name)} #{message.get('seq')}"
    sender, text = message.get("sender"), message.get("text")
    deleted = not isinstance(text, str)
    marks = ["deleted"] if deleted else _marks(message, change)
    place = f"{place} ({'; '.join(marks)})" if marks else place
    said = [str(sender)] if sender else []
    said += [] if deleted else [str(text)]
    return indented("  ".join([place, ": ".join(said)] if said else [place]))


def _marks(message: Mapping[str, Any], change: str) -> list[str]:
    marks = ["edited"] if message.get("edited_at") else [change] if change else []
    if message.get("reply_to") is not None:
        marks.append(f"reply to #{message['reply_to']}")
    mentions = message.get("mentions")
    if isinstance(mentions, list) and mentions:
        marks.append(f"mentions {_names(mentions)}")
    reactions = message.get("reactions")
    shown = [each for each in (reactions if isinstance(reactions, list) else []) if isinstance(each, dict)]
    marks += [f"{each.get('emoji')} {each.get('count')}" for each in shown]
    mark = message.get("mark")
    marks += [_counted(mark)] if isinstance(mark, dict) and _counted(mark) else []
    return [one_line(mark) for mark in marks]


def event_line(event: str, data: Any, name: str | None = None) -> str:
    """An event as a line; only a message whose text has newlines takes more than one. `name` is that of its group."""
    if isinstance(data, dict):
        if "seq" in data and "conversation_id" in data and event.startswith("message"):
            return message_line(data, name, "" if event == "message" else "changed")
        if event == "reset":
            where = data.get("conversation_id", "your inbox")
            return indented(
                f"reset ({data.get('reason')}): events of {where} are missing here; none is missing after this line"
            )
        if event == "member" and isinstance(data.get("users"), list):
            return one_line(f"{_place(data, name)}  {_membership(data)}")
        if event == "conversation" and isinstance(data.get("name"), str):
            return one_line(f"{_place(data, name)}  {_description(data)}")
        if event == "mark":
            return mark_line(data, name)
        if event == "profile":
            return "your profile was changed"
        if event == "block":
            return one_line(f"{_place(data, name)}  {block_line(data)}")
        if event == "receipt":
            return one_line(f"{_place(data, name)}  {_progress(data)}")
        if event == "presence" and isinstance(data.get("users"), list):
            return "\n".join(presence_line(one) for one in data["users"] if isinstance(one, dict))
        if event == "typing":
            return one_line(f"{_place(data, name)}  {data.get('user')} is writing …")
    return indented(f"{event}  {json.dumps(data, ensure_ascii=False, sort_keys=True)}")


def _membership(data: Mapping[str, Any]) -> str:
    """What a `member` event says: `alice added bob (admin) and carol, 5 members`."""
    by = str(data.get("by"))
    roles = {str(each.get("user")): str(each.get("role")) for each in data["users"] if isinstance(each, dict)}
    if data.get("left"):
        said = f"{by} left" if [*roles] == [by] else f"{by} removed {_names([*roles])}"
    elif "name" not in data:
        said = f"{by} made {_names([f'{user} {_with_article(role)}' for user, role in roles.items()])}"
    else:
        others = _names(
            [user if role == "member" else f"{user} ({role})" for user, role in roles.items() if user != by],
            more=data.get("more") is True,
        )
        if roles.get(by) == "owner":
            said = f"{by} made the group, with {others}" if others else f"{by} made the group"
        else:
            said = f"{by} added {others}" if others else f"{by} joined"
    count = data.get("member_count")
    return f"{said}, {_members(count)}" if isinstance(count, int) else said


def _with_article(role: str) -> str:
    return f"an {role}" if role[:1] in "aeiou" else f"a {role}"


def _description(data: Mapping[str, Any]) -> str:
    """What a `conversation` event says: the name and the topic, or that it has ended."""
    if data.get("ended"):
        return "has ended"
    topic = f", topic {quoted(data['topic'])}" if data.get("topic") else ", no topic"
    return f"is named {quoted(data['name'])}{topic}"


def conversation_line(conversation: Mapping[str, Any]) -> str:
    """A conversation in a list: its id and name, what is unread, and its newest message."""
    name, last = conversation.get("name"), conversation.get("last_message")
    line = one_line(f"{_place({'conversation_id': conversation.get('id')}, name)}{_unread(conversation)}")
    if not isinstance(last, dict):
        return line
    text = last.get("text")
    said = f"{last.get('sender')}: {text}" if isinstance(text, str) else "deleted"
    return one_line(f"{line}  {_clock(last.get('created_at'))}{shortened(said)}")


def mark_line(mark: Mapping[str, Any], name: str | None = None) -> str:
    """Up to where one has read a conversation, and what is left."""
    read, newest = mark.get("read_up_to"), mark.get("unread")
    left = "" if newest is None else _unread(mark) or "  (nothing is unread)"
    muted = "  (muted)" if newest is None and mark.get("muted") else ""
    return one_line(f"{_place(mark, name)}  read up to #{read}{left}{muted}")


def user_line(user: Mapping[str, Any]) -> str:
    """A user: the id, and what it is called."""
    called = user.get("display_name")
    return one_line(str(user.get("id"))) + (f"  {one_line(quoted(called))}" if called else "")


def profile_line(profile: Mapping[str, Any]) -> str:
    """One's own profile."""
    picture = profile.get("avatar_url")
    parts = [user_line({**profile, "id": profile.get("user")}), *([one_line(str(picture))] if picture else [])]
    return "  ".join(
        [*parts, *(["(others do not see what you have read)"] if profile.get("receipts") is False else [])]
    )


def session_line(session: Mapping[str, Any]) -> str:
    """A session: its id, since when there is one, when it was seen, and in what."""
    begun, seen = _moment(session.get("created_at")), _moment(session.get("last_seen_at"))
    times = [f"since {begun:%Y-%m-%d %H:%M}" if begun else "", f"seen {seen:%Y-%m-%d %H:%M}" if seen else ""]
    agent = str(session.get("user_agent") or "unknown")
    own = "(this one)" if session.get("current") else ""
    return one_line("  ".join(filter(None, [str(session.get("id")), *times, agent, own])))


def block_line(block: Mapping[str, Any]) -> str:
    """Whom one has blocked, or unblocked."""
    return one_line(f"you have {'blocked' if block.get('blocked') else 'unblocked'} {block.get('user')}")


def receipt_line(receipt: Mapping[str, Any]) -> str:
    """Up to where somebody has read a conversation, and has it: `bob  read up to #7, delivered up to #9`."""
    read, delivered = receipt.get("read_up_to"), receipt.get("delivered_up_to")
    more = f", delivered up to #{delivered}" if delivered != read else ""
    said = f"read up to #{read}{more}" if read else f"delivered up to #{delivered}" if delivered else "nothing yet"
    return one_line(f"{receipt.get('user')}  {said}")


def _progress(data: Mapping[str, Any]) -> str:
    """What a `receipt` says: `read by bob up to #7`; of who has more than was read, what was delivered."""
    user, read, delivered = data.get("user"), data.get("read_up_to"), data.get("delivered_up_to")
    if delivered == read:
        return f"read by {user} up to #{read}"
    return f"delivered to {user} up to #{delivered}" + (f", read up to #{read}" if read else "")


def _counted(counts: Mapping[str, Any]) -> str:
    """What is unread: `3 unread, 1 mentions you`; nothing, if nothing is."""
    unread, mentions = counts.get("unread"), counts.get("mentions")
    said = [f"{unread} unread"] if isinstance(unread, int) and unread else []
    if isinstance(mentions, list) and mentions:
        said.append("1 mentions you" if len(mentions) == 1 else f"{len(mentions)} mention you")
    return ", ".join(said)


def _unread(counts: Mapping[str, Any]) -> str:
    """What is unread, in parentheses: `  (3 unread, 1 mentions you; muted)`."""
    said = _counted(counts)
    words = [*([said] if said else []), *(word for word in ("muted", "blocked") if counts.get(word))]
    return f"  ({'; '.join(words)})" if words else ""


def presence_line(person: Mapping[str, Any]) -> str:
    """Whether somebody is there: `bob is offline, last seen 2026-11-26 14:03`."""
    if person.get("online") is True:
        return one_line(f"{person.get('user')} is online")
    seen = f", last seen {day_and_time(person['last_seen'])}" if person.get("last_seen") else ""
    return one_line(f"{person.get('user')} is offline{seen}")


def group_line(group: Mapping[str, Any]) -> str:
    """A group as a line: its id, name, one's own role, how many members it has, and its topic."""
    facts = [str(group[field]) for field in ("role",) if group.get(field)]
    if isinstance(group.get("member_count"), int):
        facts.append(_members(group["member_count"]))
    facts += [word for field, word in (("ended", "ended"), ("left", "left")) if group.get(field)]
    line = f"{group.get('id')}  {quoted(group.get('name'))}"
    line += f"  ({', '.join(facts)})" if facts else ""
    return one_line(f"{line}  {group['topic']}" if group.get("topic") else line)


def group_lines(group: Mapping[str, Any]) -> str:
    """All that there is to say of a group, on several lines."""
    last, members = group.get("last_message"), group.get("members")
    rows = [
        ("topic", group.get("topic")),
        ("history", {"all": "new members read all of it", "from_join": "new members read on from their joining"}.get(
            str(group.get("history")))),
        ("members", _names(members, more=_is_cut(group)) if isinstance(members, list) else None),
        ("newest", message_line(last) if isinstance(last, dict) else None),
    ]  # fmt: skip
    return "\n".join(
        [group_line({**group, "topic": None}), *(indented(f"    {label:8} {value}") for label, value in rows if value)]
    )


def member_line(member: Mapping[str, Any]) -> str:
    """A member and their role."""
    return one_line(f"{member.get('user')}  {member.get('role')}")


def addition_line(answer: Mapping[str, Any]) -> str:
    """Who was added to a group, and how many members it has."""
    added, count = answer.get("added"), answer.get("member_count")
    said = f"added {', '.join(map(str, added))}" if isinstance(added, list) and added else "all are members already"
    return one_line(f"{said} ({_members(count)})" if isinstance(count, int) else said)


def invite_line(invite: Mapping[str, Any]) -> str:
    """An invitation as a line, without its secret."""
    uses, most = invite.get("uses"), invite.get("max_uses")
    used = f"used {uses} of {most} times" if most else f"used {uses} time{'' if uses == 1 else 's'}"
    until = day_and_time(invite.get("expires_at"))
    return one_line(f"{invite.get('id')}  by {invite.get('by')}, {used}, until {until}")


def feed_line(feed: Mapping[str, Any]) -> str:
    """A feed: `scores  read by public, keeps 1000 events; alice publishes`."""
    read = feed.get("group") if feed.get("read") == "group" else feed.get("read")
    kept = "keeps the newest of each key" if feed.get("keyed") else f"keeps {feed.get('keep')} events"
    publishers = feed.get("publishers")
    named = f"; published by {_names(publishers)}" if isinstance(publishers, list) and publishers else ""
    return one_line(f"{feed.get('name')}  read by {read}, {kept}{named}")


def published_line(event: Mapping[str, Any]) -> str:
    """An event that was published."""
    return one_line(f"published as {event.get('id')}")


def feed_event_line(event: str, item: Any) -> str:
    """An event of a feed: `14:03 goal  {"home": 2}`; of a feed with keys `14:03 AAPL = 101.5`."""
    item = item if isinstance(item, Mapping) else {"data": item}
    data, key = item.get("data"), item.get("key")
    said = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    name = "" if event == "message" else f"{event}  "
    if key is not None:
        said = f"{key} is deleted" if data is None else f"{key} = {said}"
    return indented(f"{_clock(item.get('created_at'))}{name}{said}")


def day_and_time(moment: Any) -> str:
    """The local day and time of an RFC 3339 timestamp; anything else as it is."""
    when = _moment(moment)
    return f"{when:%Y-%m-%d %H:%M}" if when else str(moment)


def quoted(text: Any) -> str:
    """A stranger's text in quotes: where it ends is beyond doubt."""
    return json.dumps(str(text), ensure_ascii=False)


def _place(data: Mapping[str, Any], name: str | None) -> str:
    place = one_line(str(data.get("conversation_id")))
    return place if name is None else f"{place} {one_line(quoted(name))}"


def _members(count: int) -> str:
    return "1 member" if count == 1 else f"{count} members"


def _is_cut(group: Mapping[str, Any]) -> bool:
    count = group.get("member_count")
    return isinstance(count, int) and count > len(group["members"])


def _names(names: Sequence[Any], *, more: bool = False) -> str:
    shown = [str(each) for each in names[:MOST_NAMES]]
    if len(names) > MOST_NAMES or more:
        return ", ".join([*shown, "…"])
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def _clock(created_at: Any) -> str:
    """The local time of an RFC 3339 timestamp, or of seconds since the epoch, and a space; empty for anything else."""
    when = _moment(created_at)
    return f"{when:%H:%M} " if when else ""


def _moment(moment: Any) -> datetime | None:
    try:
        when = (
            datetime.fromisoformat(moment)
            if isinstance(moment, str)
            else datetime.fromtimestamp(float(moment)).astimezone()
        )
        return when.astimezone()
    except (TypeError, ValueError, OverflowError, OSError):
        return None
