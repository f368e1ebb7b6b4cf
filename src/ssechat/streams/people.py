"""People who are watched by users with streams on this worker, and who watches them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic_core import to_json

from ssechat.identity.watch_lists import Watched
from ssechat.ids import UserId
from ssechat.redis import keys
from ssechat.texts.timestamps import timestamp

FEW = 32
"""Watches up to which a person has a list of them: a set costs several times its memory, and more would be slow to
search."""


class Person:
    """Somebody who is watched."""

    __slots__ = ("channel", "json", "last_seen", "missing_at", "missing_since", "online", "user", "visible", "watches")

    def __init__(self, user: UserId) -> None:
        self.user = user
        self.channel = keys.live(user).encode()
        self.watches: list[Watch] | set[Watch] = []
        self.visible = True
        self.online: bool | None = None
        """What those who watch are told; None: it is not known yet."""
        self.last_seen: int | None = None
        """Milliseconds since 1970."""
        self.missing_since: float | None = None
        """When the person was first not there, if it has not been there since."""
        self.missing_at = 0
        """The same in milliseconds since 1970."""
        self.json = b""
        """What is told."""

    def is_now(self, *, online: bool, last_seen: int | None) -> None:
        """Sets what those who watch are told."""
        self.online, self.last_seen, self.missing_since = online, last_seen, None
        self.json = told(self.user, online=online, last_seen=last_seen)

    def add(self, watch: "Watch") -> None:
        if isinstance(self.watches, set):
            self.watches.add(watch)
            return
        self.watches.append(watch)
        if len(self.watches) > FEW:
            self.watches = set(self.watches)


class Watch:
    """A user with streams on this worker, and whom it watches."""

    __slots__ = ("channel", "denied", "people", "user")

    def __init__(self, user: UserId, channel: bytes) -> None:
        self.user = user
        self.channel = channel
        self.people: Sequence[Person] = ()
        self.denied: frozenset[UserId] = frozenset()
        """Of whom the user may not know whether they are there: they are told to be offline."""

    def known(self) -> list[bytes]:
        """All that is to be said now, as JSON."""
        found = [person.json for person in self.people if person.online is not None]
        return found + [told(user, online=False) for user in sorted(self.denied)]


class People:
    """Who watches whom, both ways."""

    def __init__(self) -> None:
        self._people: dict[UserId, Person] = {}
        self._watches: dict[bytes, Watch] = {}
        self.watch_of: Callable[[bytes], Watch | None] = self._watches.get
        """Finds the watch of the user with this channel: asked for each event."""

    def __len__(self) -> int:
        """How many are watched."""
        return len(self._people)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._people.values())

    def get(self, user: UserId) -> Person | None:
        return self._people.get(user)

    def known(self, user: UserId) -> bool | None:
        """Whether somebody is online, as those who watch were told; None: they were not."""
        person = self._people.get(user)
        return None if person is None else person.online

    def watches(self) -> Iterator[Watch]:
        return iter(self._watches.values())

    def set(self, user: UserId, channel: bytes, watched: Watched) -> tuple[list[Person], list[bytes]]:
        """Sets whom a user watches from now on; an empty `watched` ends it.

        Returns those who were not watched by anybody before, and what is to be said at once of others who are new, or
        of whom the user may not know any more.
        """
        watch = self._watches.get(channel)
        if not watched.users:
            self.drop(channel)
            return [], []
        if watch is None:
            watch = self._watches[channel] = Watch(user, channel)
        before = {person.user for person in watch.people}
        for person in watch.people:
            if person.user not in watched.seen:
                self._leave(person, watch)
        fresh, say, people = [], [], []
        for name in watched.seen:
            known = self._people.get(name)
            person = self._people[name] = Person(name) if known is None else known
            people.append(person)
            if name in before:
                continue
            person.add(watch)
            if known is None:
                fresh.append(person)
            elif person.online is not None:
                say.append(person.json)
        denied = watched.users - watched.seen
        say += [told(name, online=False) for name in sorted(denied - watch.denied)]
        watch.people, watch.denied = tuple(people), denied
        return fresh, say

    def drop(self, channel: bytes) -> None:
        """The user with this channel watches nobody any more, or has no stream here."""
        watch = self._watches.pop(channel, None)
        if watch is not None:
            for person in watch.people:
                self._leave(person, watch)

    def _leave(self, person: Person, watch: Watch) -> None:
        person.watches.remove(watch)
        if not person.watches:
            del self._people[person.user]


def told(user: UserId, *, online: bool, last_seen: int | None = None) -> bytes:
    """What is told of somebody, as JSON."""
    fields: dict[str, object] = {"user": user, "online": online}
    if last_seen is not None and not online:
        fields["last_seen"] = timestamp(last_seen)
    return to_json(fields)


def event_data(said: Iterable[bytes]) -> bytes:
    """The data of a `presence` event."""
    return b'{"users":[%b]}' % b",".join(said)
