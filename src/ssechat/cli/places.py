"""Conversations as a person names them: by an id, by a group's name, or by the other person."""

import unicodedata
from typing import TYPE_CHECKING

from ssechat.cli.running import Run
from ssechat.errors import ChatError, SettingsError
from ssechat.ids import direct_conversation, is_group, user_id
from ssechat.problem_details import shortened

if TYPE_CHECKING:
    from ssechat.client import Client

# Groups that an error names.
MOST_NAMED = 10


class Places:
    """The conversations of the user of a client."""

    def __init__(self, client: "Client", run: Run) -> None:
        self._client = client
        self._run = run

    def recipient(self, text: str) -> str:
        """What a text is sent to: a user's name or a conversation's id as it is, else the group of that name.

        `g:lunch` is the group "lunch"; "lunch" alone is a user.

        Raises:
            ChatError: not exactly one of the user's groups has that name, or the server does not say.
        """
        if _is_id(text) or user_id(text) is not None:
            return text
        return self.group(text)

    def conversation(self, text: str) -> str:
        """The id of a conversation: as `recipient`, and of a user's name the direct conversation with that user."""
        place = self.recipient(text)
        other = user_id(place)
        return place if other is None else direct_conversation(self._run(self._client.user()), other)

    def group(self, text: str) -> str:
        """The id of a group: as it is, else that of the user's group of that name, in any case of its letters.

        Raises:
            ChatError: not exactly one of the user's groups has that name, or the server does not say.
        """
        if is_group(text):
            return text
        if text.startswith("dm:"):
            raise SettingsError("this is a direct conversation, and not a group")
        name = text.removeprefix("g:")
        if not name.strip():
            raise SettingsError("the name of a group is empty: give its id or its name")
        found = self.groups_named(name)
        if not found:
            raise ChatError(f"no group of yours has the name {_shown(name)}: `ssechat group list` has those there are")
        if len(found) > 1:
            ids = ", ".join(map(shortened, found[:MOST_NAMED])) + (", …" if len(found) > MOST_NAMED else "")
            raise ChatError(f"{len(found)} groups of yours have the name {_shown(name)}: give the id of one ({ids})")
        return found[0]

    def groups_named(self, name: str) -> list[str]:
        """The ids of the user's groups that have a name; those that have ended only if there is no other."""
        wanted = _folded(name)
        found = [
            each
            for each in self._run.each(self._client.conversations())
            if each.is_group and _folded(each.name) == wanted
        ]
        return [each.id for each in ([each for each in found if not each.ended] or found)]


def _is_id(text: str) -> bool:
    return text.startswith("dm:") or is_group(text)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _shown(name: str) -> str:
    return shortened(repr(name))
