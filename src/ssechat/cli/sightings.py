"""What a listener has seen of its conversations: the groups' names, and which version of a message was printed."""

from typing import TYPE_CHECKING, Any

from ssechat.cli.running import Run
from ssechat.errors import ChatError
from ssechat.ids import is_group

if TYPE_CHECKING:
    from ssechat.client import Client, Event

MOST_MESSAGES = 10_000
MOST_NAMES = 1_000
MOST_RECEIPTS = 10_000
# Seconds that a line waits for the name of its group, once a group.
NAME_SECONDS = 2.0


class Sightings:
    """The state behind the lines of `listen`. What was seen first is forgotten first."""

    def __init__(self, client: "Client", run: Run) -> None:
        self._client = client
        self._run = run
        self._names: dict[str, str | None] = {}
        self._versions: dict[tuple[str, Any], int] = {}
        self._receipts: dict[tuple[str, str], tuple[int, int]] = {}

    def is_news(self, event: "Event") -> bool:
        """Whether an event says something that no event before has said: a message that is read late is as it stands,
        and the events of its changes follow."""
        data = event.raw
        if not isinstance(data, dict):
            return True
        conversation = data.get("conversation_id")
        if event.name == "reset":
            self._forget(conversation)
            return True
        if event.name == "receipt" and isinstance(conversation, str):
            return self._has_risen((conversation, str(data.get("user"))), data)
        version = data.get("version")
        if not event.name.startswith("message") or not isinstance(conversation, str) or type(version) is not int:
            return True
        message = (conversation, str(data.get("seq")))
        if version <= self._versions.get(message, 0):
            return False
        _keep(self._versions, message, version, MOST_MESSAGES)
        return True

    def _has_risen(self, of: tuple[str, str], receipt: Any) -> bool:
        """Whether somebody has read or got more than was printed."""
        before = self._receipts.get(of, (0, 0))
        now = tuple(up_to if type(up_to) is int else 0 for up_to in map(receipt.get, ("read_up_to", "delivered_up_to")))
        if now[0] <= before[0] and now[1] <= before[1]:
            return False
        _keep(self._receipts, of, (max(now[0], before[0]), max(now[1], before[1])), MOST_RECEIPTS)
        return True

    def name(self, event: "Event") -> str | None:
        """The name of the group that an event is of, before the event: the server is asked once for each group."""
        data = event.raw
        group = data.get("conversation_id") if isinstance(data, dict) else None
        if not isinstance(group, str) or not is_group(group) or event.name == "reset":
            return None
        told = data.get("name") if event.name in ("conversation", "member") else None
        before = self._names.get(group)
        if isinstance(told, str):
            _keep(self._names, group, told, MOST_NAMES)
            return before or told
        if group not in self._names:
            _keep(self._names, group, self._ask(group), MOST_NAMES)
        return self._names[group]

    def _ask(self, group: str) -> str | None:
        try:
            return self._run(self._client.conversation(group, timeout=NAME_SECONDS)).name or None
        except ChatError:
            return None

    def _forget(self, conversation: Any) -> None:
        """Forgets the versions of a conversation's messages, or of all: after a loss they may begin anew."""
        if conversation is None:
            self._versions.clear()
        self._receipts.clear()
        self._names.clear()
        for message in [each for each in self._versions if each[0] == conversation]:
            del self._versions[message]


def _keep(known: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > most:
        del known[next(iter(known))]
