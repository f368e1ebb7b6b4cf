"""Walks the table at the end of each chapter, and notes each answer that is not as it must be."""

import functools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from rights.door import Answer
from rights.model import Marks, View
from rights.probes import Probe, probes
from rights.story import ANYBODY, PEOPLE, Story
from rights.table import ROWS, WORDS, Row

MARK = re.compile(
    rb"mark[0-9]{4}[a-z_]{4}|\xf0\x9f\x90[\x80-\xbf]|%f0%9f%90%[89ab][0-9a-f]|\\ud83d\\udc[0-3][0-9a-f]", re.IGNORECASE
)
"""A mark in any of the ways in which an answer can write it."""

EXCERPT = 150
"""Bytes that a finding quotes on each side of what was found."""

BODIES = 1024
"""Bodies of which is known what is in them: documents of half a megabyte are asked for by everybody in each chapter."""

TELLS_OF_THE_END = {"/v1/invites/join"}
"""Routes that tell those who are not in a group that it has ended."""

TOMBSTONE = {"conversation_id", "seq", "version", "sender", "created_at", "deleted"}
"""All that a tombstone may have."""


@functools.lru_cache(BODIES)
def marks_in(raw: bytes) -> frozenset[str]:
    """All marks in these bytes."""
    return frozenset(_plain(found) for found in MARK.findall(raw))


def _plain(found: bytes) -> str:
    if found.startswith(b"%"):
        return unquote_to_bytes(found).decode()
    if found.startswith(b"\\"):
        return str(json.loads(b'"%b"' % found))
    return found.decode()


def messages_in(content: Any, group: str) -> Iterator[dict[str, Any]]:
    """All messages of a group, wherever they are in a JSON value."""
    if isinstance(content, list):
        for each in content:
            yield from messages_in(each, group)
    elif isinstance(content, dict):
        if "seq" in content and content.get("conversation_id") == group:
            yield content
        else:
            yield from messages_in(list(content.values()), group)


@functools.lru_cache(BODIES)
def _messages_of(body: bytes, group: str) -> tuple[dict[str, Any], ...]:
    """All messages of a group in a body of JSON, which nobody may change."""
    return tuple(messages_in(json.loads(body), group))


def events_in(raw: bytes) -> list[Any]:
    """The data of all events of a stream, without what their reader has read."""
    found = [json.loads(line.partition(b": ")[2]) for line in raw.split(b"\n") if line.startswith(b"data: ")]
    return [{name: value for name, value in data.items() if name != "mark"} for data in found]


class Walk:
    """What was found on the way."""

    def __init__(self, story: Story, wanted: Callable[[Row], bool] = lambda _: True) -> None:
        """`wanted`: the rows that are asked."""
        self.story = story
        self.findings: list[str] = []
        self.asked = 0
        """Requests so far."""
        self._rows = [row for row in ROWS if wanted(row)]
        self._chapter = ""
        self._known: set[tuple[str, str]] = set()

    async def go(self, enough: Callable[[str], bool] = lambda _: False) -> list[str]:
        """From the first chapter to the last, or to one at whose end a finding is enough; returns all findings."""
        try:
            async for chapter in self.story.chapters():
                self._chapter = chapter
                for who in (ANYBODY, *PEOPLE):
                    for row in self._rows:
                        await self._ask_row(who, row)
                for who in PEOPLE:
                    await self._replay(who)
                    self._check_live(who)
                if any(map(enough, self.findings)):
                    break
        finally:
            await self.story.close()
        return sorted(self.findings + self.story.lost, key=lambda finding: "LEAK" not in finding)

    def _note(self, who: str, what: str, why: str) -> None:
        group = self.story.group
        standing = f"{group.standing(who)}, {group.history}"
        if (who, what + why[:50]) in self._known:
            return  # it was found at the end of an earlier chapter
        self._known.add((who, what + why[:50]))
        self.findings.append(f"[{self._chapter}] {who or 'anonymous'} ({standing}): {what}: {why}")

    async def _ask_row(self, who: str, row: Row) -> None:
        group = self.story.group
        word = row.word(group.standing(who), ended=group.ended and group.is_in(who))
        for probe in probes(self.story, who, row) if word != "-" else ():
            token = self.story.tokens[who] if probe.token is None else probe.token
            answer = await self.story.door.ask(row.method, probe.target, token, probe.body)
            self.asked += 1
            self._check(who, row, probe, answer, word)
            self._keep(who, row, answer)

    def _keep(self, who: str, row: Row, answer: Answer) -> None:
        """What later requests need."""
        if (row.method, row.path) == ("POST", "/v1/session") and answer.status == 200:
            self.story.spare_tokens[who] = answer.json()["token"]
        elif row.path.endswith("/invites") and answer.status == 201:
            self.story.spare_invite = answer.json()["id"]

    def _check(self, who: str, row: Row, probe: Probe, answer: Answer, word: str) -> None:
        what = f"{row.name} ({row.method} {probe.target})"
        expected = {WORDS[word]}
        if self.story.group.ended and row.path in TELLS_OF_THE_END and not self.story.group.is_in(who):
            expected.add(WORDS["ended"])
        if (answer.status, answer.code) not in expected:
            self._note(
                who, what, f"{answer.status} {answer.code} instead of {expected}: {answer.body[: 2 * EXCERPT]!r}"
            )
        if answer.status >= 400 and len(answer.json()["detail"].split()) < 4:
            self._note(who, what, f"no sentence says why: {answer.body!r}")
        succeeded = answer.status < 400
        headers = repr(answer.headers).encode()
        self._check_marks(who, what, answer.body, probe.marks, headers=headers, whole=succeeded)
        if succeeded and answer.headers.get("content-type") == "application/json":
            self._check_messages(who, what, _messages_of(answer.body, self.story.group.id), probe)

    def _check_marks(
        self, who: str, what: str, raw: bytes, marks: Marks, *, headers: bytes = b"", whole: bool = True
    ) -> None:
        found = marks_in(raw) | marks_in(headers)
        raw += headers
        if leaked := sorted(found - marks.may):
            at = max(0, raw.find(leaked[0].encode()) - EXCERPT)
            self._note(who, what, f"LEAK of {leaked}: …{raw[at : at + 2 * EXCERPT]!r}…")
        if whole and (absent := sorted(marks.must - found)):
            self._note(who, what, f"lacks {absent}: {raw[-2 * EXCERPT :]!r}")
        for secret in self.story.secrets.values():
            if secret.partition(".")[2].encode() in raw:
                self._note(who, what, f"LEAK of the secret of an invitation: {raw[: 2 * EXCERPT]!r}")

    def _check_messages(self, who: str, what: str, found: Sequence[dict[str, Any]], probe: Probe) -> None:
        group = self.story.group
        if probe.messages is not None and [message["seq"] for message in found] != list(probe.messages):
            self._note(who, what, f"messages {[message['seq'] for message in found]} instead of {probe.messages}")
        for message in found:
            if not self._fits(who, message):
                views = [view.value for view in group.views(who, message["seq"])]
                told = group.messages.get(message["seq"])
                stands = told[-1].message if told else "what nobody has said"
                self._note(who, what, f"{message} should be shown {views}, and is {stands}")

    def _fits(self, who: str, message: dict[str, Any]) -> bool:
        views = self.story.group.views(who, message["seq"])
        if View.WHOLE in views and message == self.story.group.messages[message["seq"]][-1].message:
            return True
        return View.STONE in views and message.get("deleted") is True and message.keys() <= TOMBSTONE

    # Streams.

    async def _replay(self, who: str) -> None:
        group = self.story.group
        for cursor, since in (("0-0", 0), *self.story.cursors[who]):
            what = f"replay from {cursor}"
            self.asked += 1
            try:
                raw = await self.story.door.replay(self.story.tokens[who], cursor)
            except AssertionError as error:
                self._note(who, what, f"{error}")
                continue
            self._check_marks(who, what, raw, group.replayed(who, since))
            self._check_messages(who, what, [*messages_in(events_in(raw), group.id)], Probe(what))

    def _check_live(self, who: str) -> None:
        """What came on the stream that is open since the beginning."""
        group, what = self.story.group, "the stream that is open all the time"
        raw = bytes(self.story.streams[who].raw)
        self._check_marks(who, what, raw, self.story.live(who))
        versions = [message["version"] for message in messages_in(events_in(raw), group.id) if "sender" in message]
        if not self.story.is_late and versions != sorted(set(versions)):
            self._note(who, what, f"versions {versions} are not in order, or doubled")
        for message in messages_in(events_in(raw), group.id):
            told = [one.message for one in group.messages.get(message["seq"], ())]
            if message not in told and not message.keys() <= TOMBSTONE:
                self._note(who, what, f"{message} never stood so")
