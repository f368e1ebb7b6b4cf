"""A group's story, told in chapters: who comes and goes, and what is said meanwhile, all of it marked."""

import itertools
from collections.abc import AsyncIterator, Callable, Container, Mapping
from typing import Any
from urllib.parse import quote

import jwt

from rights.door import ADMIN_TOKEN, Answer, Door, Reader
from rights.model import Group, History, Marks
from ssechat.logs.inbox import WAKE_UP_LIMIT

OLGA, ADAM, MIA = "olga", "adam", "mia"
"""The owner, an admin and a member, who are there all the time."""
LEA, REMO, REJO, TESS, LARS = "lea", "remo", "rejo", "tess", "lars"
"""One who leaves, one who is removed, one who rejoins, one who rejoins and leaves again, and one who comes late."""
STEN, ANYBODY = "sten", ""
"""A stranger, who has an account, and somebody who has none."""

PEOPLE = (OLGA, ADAM, MIA, LEA, REMO, REJO, TESS, LARS, STEN)

PLANS, NEWS = "plans", "news"
"""The feed that the group's members read, and one that everybody reads."""

MARK = 12
"""Characters of a mark."""

PASSWORD = "correct horse"
OFTEN = ("before", "during", "after", "rejoined", "parted again", "ended")
"""The chapters in which something is said."""
SELDOM = ("after", "ended")
"""At their ends some have come and gone since the chapter before."""

EMOJI = [chr(number) for number in range(0x1F400, 0x1F43F)]


class Story:
    """Does what people do, and tells the model of it."""

    def __init__(
        self,
        door: Door,
        history: History,
        hold: Callable[[bool], None] | None = None,
        repaired_after: Container[str] = OFTEN,
    ) -> None:
        """`hold`, if it is given, has what is done from now on delivered late, by a repair after these chapters, or at
        once again."""
        self.door = door
        self._hold = hold
        self._repaired_after = repaired_after
        self.group = Group(history)
        self.tokens: dict[str, str] = {ANYBODY: ""}
        self.sessions: dict[str, str] = {}
        """The ids of the sessions of those tokens."""
        self.streams: dict[str, Reader] = {}
        self.lost: list[str] = []
        """What streams did not show, though it happened in their users' time."""
        self.sent: dict[str, dict[str, Any]] = {}
        """The requests of messages, by their senders: the first that each sent."""
        self.sent_as: dict[str, int] = {}
        """The seqs of those."""
        self.reacted: dict[str, tuple[int, str]] = {}
        """The last message that each reacted to, and with what."""
        self.secrets: dict[str, str] = {}
        """Invitations, by what they are."""
        self.invites: dict[str, str] = {}
        """Their ids."""
        self.cursors: dict[str, list[tuple[str, int]]] = {person: [] for person in PEOPLE}
        """The ids of each person's newest events at the ends of chapters, and the moments then."""
        self.spare_tokens: dict[str, str] = {}
        """Tokens of sessions that may be ended."""
        self.spare_invite = ""
        """The id of an invitation that may be revoked."""
        self.name = ""
        """The group's name."""
        self.of_feed = ""
        """The mark in what was published in the group's feed."""
        self._emoji = iter(EMOJI)
        self._numbers = itertools.count()

    # Small steps.

    def path(self, rest: str = "") -> str:
        return f"/v1/conversations/{quote(self.group.id)}{rest}"

    def mark(self, of: str) -> str:
        """A new mark. All have one length, so that none is a part of another."""
        return f"mark{next(self._numbers):04}{of[:4]:_<4}"

    def sender(self, seq: int) -> str:
        return str(self.group.messages[seq][0].message["sender"])

    def is_deleted(self, seq: int) -> bool:
        return "deleted" in self.group.messages[seq][-1].message

    @property
    def is_late(self) -> bool:
        """Whether it is delivered by repairs."""
        return self._hold is not None

    def live(self, person: str) -> Marks:
        """The marks on a stream that was open all the time."""
        return self.group.repaired(person) if self.is_late else self.group.live(person)

    async def do(self, who: str, method: str, target: str, body: object = None, status: int = 200) -> Answer:
        """A request that must succeed."""
        answer = await self.door.ask(method, target, self.tokens[who], body)
        assert answer.status == status, (who, method, target, body, answer)
        return answer

    async def told(self) -> None:
        """Waits until every stream shows what it must."""
        if not self.is_late:
            await self._shown({person: self.live(person).must for person in self.streams})

    async def _shown(self, all_must: Mapping[str, frozenset[str]]) -> None:
        for person, must in all_must.items():
            stream = self.streams[person]
            if not await stream.shows(*(mark.encode() for mark in must)):
                absent = sorted(mark for mark in must if mark.encode() not in stream.raw)
                self.lost.append(f"{person}'s stream lacks {absent}")

    # What people do.

    async def sign_up(self) -> None:
        for person in PEOPLE:
            body = {"name": person, "password": PASSWORD}
            answer = await self.door.ask("POST", "/v1/users", body=body)
            assert answer.status == 201, answer
            self.tokens[person] = answer.json()["token"]
            self.sessions[person] = jwt.decode(self.tokens[person], options={"verify_signature": False})["sid"]
            side = {"name": "beside", "members": [], "client_msg_id": "beside"}
            await self.do(person, "POST", "/v1/conversations", side, 201)
            self.streams[person] = self.door.open(self.tokens[person])
            assert await self.streams[person].shows(b"event: hello")

    async def make(self) -> None:
        self.name, topic = self.mark("name"), self.mark("topic")
        body = {"name": self.name, "topic": topic, "members": [ADAM], "history": self.group.history}
        answer = await self.do(OLGA, "POST", "/v1/conversations", body, 201)
        self.group.id = answer.json()["id"]
        self.group.rename(frozenset({self.name, topic}))
        self.group.join(OLGA, "owner")
        self.group.join(ADAM)
        await self.do(OLGA, "PUT", self.path(f"/members/{ADAM}"), {"role": "admin"})
        self.group.roles[ADAM] = "admin"
        await self.invite("open", {})
        await self.invite("used up", {"max_uses": 1})
        await self.add(MIA, how="used up")

    async def make_feeds(self) -> None:
        """Has the admin make a feed for the group, and one for everybody."""
        self.of_feed = self.mark("feed")
        for name, body in ((PLANS, {"read": "group", "group": self.group.id}), (NEWS, {"read": "public"})):
            answer = await self.door.ask("PUT", f"/v1/feeds/{name}", ADMIN_TOKEN, body)
            assert answer.status == 201, answer
        published = await self.door.ask("POST", f"/v1/feeds/{PLANS}/events", ADMIN_TOKEN, {"data": self.of_feed})
        assert published.status == 201, published

    async def invite(self, what: str, body: dict[str, Any]) -> None:
        made = (await self.do(OLGA, "POST", self.path("/invites"), body, 201)).json()
        self.secrets[what], self.invites[what] = made["secret"], made["id"]

    async def rename(self) -> None:
        self.name, topic = self.mark("name"), self.mark("topic")
        await self.do(OLGA, "PATCH", self.path(), {"name": self.name, "topic": topic})
        self.group.rename(frozenset({self.name, topic}))
        await self.told()

    async def say(self, who: str, **more: Any) -> int:
        text, data, key = self.mark("text"), self.mark("data"), self.mark("key")
        if more.pop("large", False):
            text += "." * WAKE_UP_LIMIT  # then streams read it where the message is
        body = {"conversation_id": self.group.id, "text": text, "data": {"k": data}, "client_msg_id": key, **more}
        message = (await self.do(who, "POST", "/v1/messages", body, 201)).json()
        self.sent.setdefault(who, body)
        self.sent_as.setdefault(who, message["seq"])
        self.group.tell(message, frozenset({text[:MARK], data, key}))
        await self.told()
        return int(message["seq"])

    async def edit(self, seq: int) -> None:
        """Its sender writes text and data anew."""
        text, data = self.mark("edit"), self.mark("data")
        before = self.group.messages[seq][-1]
        kept = frozenset(mark for mark in before.marks if not mark.startswith("mark") or mark.endswith("key_"))
        body = {"text": text, "data": {"k": data}}
        answer = await self.do(before.message["sender"], "PATCH", self.path(f"/messages/{seq}"), body)
        self.group.tell(answer.json(), kept | {text, data})
        await self.told()

    async def delete(self, who: str, seq: int) -> None:
        answer = await self.do(who, "DELETE", self.path(f"/messages/{seq}"))
        self.group.tell(answer.json(), frozenset())
        await self.told()

    async def react(self, who: str, seq: int) -> None:
        emoji = next(self._emoji)
        before = self.group.messages[seq][-1]
        answer = await self.do(who, "PUT", self.path(f"/messages/{seq}/reactions/{quote(emoji)}"), {})
        self.reacted[who] = seq, emoji
        self.group.tell(answer.json(), before.marks | {emoji})
        await self.told()

    async def add(self, *people: str, how: str = "users") -> None:
        """They join at once (`users`), or one by being put or by an invitation."""
        for person in people:
            if how == "put":
                await self.do(ADAM, "PUT", self.path(f"/members/{person}"), {})
            elif how != "users":
                await self.do(person, "POST", "/v1/invites/join", {"secret": self.secrets[how]})
        if how == "users":
            await self.do(ADAM, "POST", self.path("/members"), {"users": [*people]})
        for person in people:
            self.group.join(person)

    async def part(self, who: str, *, by: str) -> None:
        """Somebody leaves, or is removed."""
        await self.do(by, "DELETE", self.path(f"/members/{who}"), status=204)
        self.group.leave(who, removed=by != who)

    # The chapters.

    async def chapters(self) -> AsyncIterator[str]:
        """Tells the story, and stops after each chapter, by its name; if it is delivered late, only after repairs."""
        await self.sign_up()
        if self._hold is not None:
            self._hold(True)
        async for chapter in self._chapters():
            if self._hold is None:
                yield chapter
            elif chapter in self._repaired_after:
                self._hold(False)
                await self.do(OLGA, "GET", self.path())
                await self._shown({person: self.live(person).must for person in self.streams})
                yield chapter
                self._hold(True)
            for person, stream in self.streams.items():
                self.cursors[person].append((stream.last_id, self.group.moment))

    async def _chapters(self) -> AsyncIterator[str]:
        await self.make()
        await self.make_feeds()
        quoted = await self.say(OLGA)
        await self.say(MIA, mentions=[ADAM], large=True)
        early = {name: await self.say(OLGA) for name in ("edited", "deleted", "reacted", "edited late")}
        await self.edit(await self.say(ADAM))
        await self.delete(MIA, await self.say(MIA))
        await self.rename()
        yield "before"

        await self.add(LEA, how="open")
        await self.add(REMO, TESS)
        await self.add(REJO, how="put")
        yield "just joined"

        for person in (LEA, REMO, REJO, TESS):
            await self.say(person)
        theirs = {name: await self.say(MIA) for name in ("edited", "deleted", "reacted", "edited late", "deleted late")}
        await self.say(ADAM, reply_to=theirs["edited"], mentions=[LEA, MIA])
        await self.say(MIA, reply_to=quoted, large=True)
        await self.edit(early["edited"])
        await self.delete(ADAM, await self.say(REMO))
        await self.delete(OLGA, early["deleted"])
        await self.react(ADAM, early["reacted"])
        for person in (LEA, REMO, REJO, TESS):
            await self.react(person, theirs["reacted"])
        await self.edit(await self.say(TESS))
        await self.rename()
        await self.say(MIA)
        yield "during"

        last = {name: await self.say(MIA) for name in ("edited", "deleted", "reacted", "quiet")}
        await self.part(LEA, by=LEA)
        await self.part(REMO, by=ADAM)
        await self.part(REJO, by=REJO)
        await self.part(TESS, by=TESS)
        yield "just left"

        between = {name: await self.say(MIA) for name in ("quiet", "edited", "edited late")}
        await self.say(OLGA, reply_to=theirs["reacted"], mentions=[MIA], large=True)
        await self.edit(theirs["edited"])
        await self.delete(MIA, theirs["deleted"])
        await self.edit(last["edited"])
        await self.delete(OLGA, last["deleted"])
        await self.react(ADAM, last["reacted"])
        await self.react(MIA, self.sent_as[LEA])
        await self.delete(ADAM, self.sent_as[REJO])
        await self.edit(between["edited"])
        await self.edit(early["edited late"])
        await self.rename()
        yield "after"

        await self.add(REJO, how="open")
        await self.add(TESS, LARS)
        yield "just rejoined"

        anew = [await self.say(person) for person in (REJO, TESS, LARS)]
        await self.edit(theirs["edited late"])
        await self.edit(between["edited late"])
        await self.delete(OLGA, theirs["deleted late"])
        await self.react(MIA, between["quiet"])
        await self.say(ADAM, reply_to=theirs["reacted"], mentions=[LARS], large=True)
        await self.react(LARS, anew[0])
        await self.rename()
        yield "rejoined"

        last = {name: await self.say(MIA) for name in ("edited", "deleted", "quiet")}
        await self.part(TESS, by=OLGA)
        await self.edit(last["edited"])
        await self.delete(ADAM, last["deleted"])
        await self.do(OLGA, "PUT", self.path(f"/members/{LARS}"), {"role": "admin"})
        self.group.roles[LARS] = "admin"
        await self.edit(anew[2])
        await self.react(OLGA, self.sent_as[TESS])
        await self.say(MIA)
        await self.rename()
        yield "parted again"

        await self.do(OLGA, "DELETE", self.path(), status=204)
        self.group.ended = True
        await self.part(REJO, by=REJO)
        yield "ended"

    async def close(self) -> None:
        for stream in self.streams.values():
            await stream.close()
