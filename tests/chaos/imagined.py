"""A group in an imagined server that does everything right, and the history that its clients would tell. Tests of the
checker make histories with it, and break them; a subclass is a server that breaks a promise."""

from typing import Any

from .history import CONNECT, FACTS, Attempt, Change, Device, Event, Fetched, Group, History, Send

GROUP = "g:abcdefghijklmnopqrstuvwxyz"
KEEPER = "kim"
PEOPLE = ("ann", "bob", "eve")

Entry = tuple[str, dict[str, Any]]
"""Name and data of an event; of a message or a change the data at that time."""


class Imagined:
    """One group. Each method is an action that is asked for, done, delivered and acknowledged, a second each."""

    def __init__(self, members: tuple[str, ...] = ("ann", "bob"), *, from_join: bool = False) -> None:
        self.history = History(groups={GROUP: Group(GROUP, KEEPER, members, "first", from_join)})
        self.from_join = from_join
        self.log: list[Entry] = []
        self.roles = {KEEPER: "owner", **dict.fromkeys(members, "member")}
        self.joined = dict.fromkeys(self.roles, 1)
        self.left: dict[str, int] = {}
        self.times: dict[str, list[tuple[int, int]]] = {user: [(1, 0)] for user in self.roles}
        """Positions of join and leave; 0: none yet."""
        self.name = "first"
        self.messages: dict[int, dict[str, Any]] = {}
        self.reactions: dict[tuple[int, str], set[str]] = {}
        self.inboxes: dict[str, list[Entry]] = {user: [] for user in (KEEPER, *PEOPLE)}
        self.place = dict.fromkeys(self.inboxes, 0)
        """The position in the log up to which each inbox has what is due to it."""
        self.now = 0.0
        for user in self.inboxes:
            device = Device(user, f"{user}/0", events=[Event(0.0, CONNECT)])
            device.events.append(Event(0.0, "hello", None, {"resumed": True, "missed": 0}))
            self.history.devices.append(device)
        self._append("member", self._fact(list(self.roles), KEEPER), list(self.roles))

    # What people do

    def send(self, sender: str) -> int:
        seq, number = len(self.messages) + 1, len(self.history.sends) + 1
        pos = len(self.log) + 1
        message = {"conversation_id": GROUP, "seq": seq, "version": pos, "sender": sender, "text": f"t{number}"}
        message |= {"created_at": "now", "client_msg_id": f"m{number}"}
        self.messages[seq] = message
        send = Send(GROUP, sender, f"m{number}", f"t{number}", self.now + 0.1)
        self.history.sends.append(send)
        self._append("message", message, list(self.roles))
        send.attempts.append(Attempt(send.invoked, self.now - 0.1, "201", message))
        return seq

    def edit(self, seq: int) -> None:
        sender = str(self.messages[seq]["sender"])
        change = self._asked("edit", sender, text=f"e{len(self.log)}", seq=seq)
        self._change("message.updated", seq, change, text=change.text, edited_at="later")

    def delete(self, seq: int, by: str = KEEPER) -> None:
        old, change = self.messages[seq], self._asked("delete", by, seq=seq)
        self.messages[seq] = {name: old[name] for name in ("conversation_id", "seq", "version", "sender", "created_at")}
        self._change("message.deleted", seq, change, deleted=True)

    def react(self, seq: int, user: str, emoji: str = "👍") -> None:
        change = self._asked("react", user, text=emoji, seq=seq)
        users = self.reactions.setdefault((seq, emoji), set())
        users.add(user)
        reaction = {"emoji": emoji, "count": len(users), "users": sorted(users)[:3]}
        self._change("message.updated", seq, change, reactions=[reaction])

    def add(self, user: str, by: str = KEEPER) -> None:
        change = self._asked("add", by, users=(user,))
        self.begin(user)
        self.roles[user] = "member"
        self.joined[user] = len(self.log) + 1
        self.times.setdefault(user, []).append((self.joined[user], 0))
        self._append("member", self._fact([user], by), list(self.roles))
        self._answer(change, "200", {})

    def remove(self, user: str, by: str = KEEPER) -> None:
        change = self._asked("leave" if user == by else "remove", by, users=(user,))
        audience = list(self.roles)
        del self.roles[user]
        self.left[user] = len(self.log) + 1
        self.times[user][-1] = self.times[user][-1][0], self.left[user]
        self._append("member", {**self._fact([user], by), "left": True}, audience)
        self._answer(change, "204", {})

    def rename(self, by: str = KEEPER) -> None:
        change = self._asked("rename", by, text=f"name {len(self.log)}")
        self.name = change.text
        data = {"conversation_id": GROUP, "name": self.name, "history": "from_join" if self.from_join else "all"}
        self._append("conversation", data, list(self.roles))
        self._answer(change, "200", {})

    # What the server does; the mutants override these

    def deliver(self, pos: int, audience: list[str]) -> None:
        """Brings the entry into the inboxes of its audience."""
        for user in audience:
            if not self.passes(user, pos):
                self.put(user, pos)
            self.place[user] = pos

    def passes(self, user: str, pos: int) -> bool:
        """Whether the entry is a change of a message that the user may not read."""
        name, data = self.log[pos - 1]
        if not self.from_join or name == "message" or name in FACTS:
            return False
        return self._sent_at(int(data["seq"])) < self.joined[user]

    def begin(self, user: str) -> None:
        """Comes before a join."""

    def as_told(self, user: str, message: dict[str, Any]) -> dict[str, Any]:
        """The message as it stands, as the user may read it."""
        out = user not in self.roles and message["version"] > self.left.get(user, 0)
        sent = self._sent_at(int(message["seq"]))
        unread = self.from_join and not any(first <= sent for first, _ in self.times[user][-2:])
        return {"conversation_id": GROUP, "seq": message["seq"], "deleted": True} if out or unread else message

    # What it takes

    def put(self, user: str, pos: int) -> None:
        """Puts the entry into an inbox, and tells the live device."""
        self.inboxes[user].append(self.log[pos - 1])
        name, data = self.log[pos - 1]
        n = len(self.inboxes[user])
        self._device(user).events.append(Event(self.now + 0.5, name, f"{n}-{user}", data))

    def end(self) -> History:
        """Lets a second device of each user read everything, and asks over REST."""
        self.now += 1
        for user, inbox in self.inboxes.items():
            device = Device(user, f"{user}/1", events=[Event(self.now, CONNECT)])
            hello = {"resumed": True, "missed": len(inbox)}
            device.events.append(Event(self.now + 0.1, "hello", None, hello))
            last = {data["seq"]: n for n, (name, data) in enumerate(inbox) if name.startswith("message.")}
            for n, (name, data) in enumerate(inbox):
                if name not in FACTS:
                    if name != "message" and last[data["seq"]] != n:
                        continue
                    data = self.as_told(user, self.messages[data["seq"]])
                device.events.append(Event(self.now + 0.2, name, f"{n + 1}-{user}", data))
            device.events.append(Event(self.now + 0.3, "caught_up", None, {"id": f"{len(inbox)}-{user}"}))
            self.history.devices.append(device)
            self._fetch(user)
        self.history.ended = self.now + 1
        return self.history

    def _fetch(self, user: str) -> None:
        got = Fetched(user, GROUP, self.now + 0.4)
        if user in self.joined:
            last = len(self.log) if user in self.roles else self.left[user]
            times = self.times[user][-2 if user in self.roles else -1 :] if self.from_join else [(0, last)]
            some = [
                message
                for seq, message in self.messages.items()
                if any(first <= self._sent_at(seq) <= (until or last) for first, until in times)
            ]
            got.messages = [self.as_told(user, message) for message in some]
            newest = max((seq for seq in self.messages if self._sent_at(seq) <= last), default=0)
            got.group, got.listed = {"newest_seq": newest, "left": True}, user in self.roles
            if got.listed:
                got.group = {"newest_seq": newest, "name": self.name, "role": self.roles[user]}
                got.group |= {"member_count": len(self.roles)}
                got.roles = dict(self.roles)
        self.history.fetched.append(got)

    def _fact(self, users: list[str], by: str) -> dict[str, Any]:
        some = [{"user": user, "role": self.roles.get(user, "member")} for user in users]
        return {"conversation_id": GROUP, "users": some, "by": by, "member_count": len(self.roles)}

    def _append(self, name: str, data: dict[str, Any], audience: list[str]) -> None:
        self.log.append((name, data))
        self.deliver(len(self.log), audience)
        self.now += 1

    def _change(self, name: str, seq: int, change: Change, **fields: Any) -> None:
        self.messages[seq] = {**self.messages[seq], **fields, "version": len(self.log) + 1}
        self._append(name, self.messages[seq], list(self.roles))
        self._answer(change, "200", self.messages[seq])

    def _asked(self, what: str, by: str, **fields: Any) -> Change:
        text = fields.pop("text", "")
        change = Change(GROUP, by, f"c{len(self.history.changes)}", text, self.now + 0.1, what=what, **fields)
        self.history.changes.append(change)
        return change

    def _answer(self, change: Change, outcome: str, answer: dict[str, Any]) -> None:
        change.attempts.append(Attempt(change.invoked, self.now - 0.1, outcome, answer))

    def _device(self, user: str) -> Device:
        return next(each for each in self.history.devices if each.user == user)

    def _sent_at(self, seq: int) -> int:
        sent = (pos for pos, (name, data) in enumerate(self.log, 1) if name == "message" and data["seq"] == seq)
        return next(sent)
