"""What an action in a group needs, and what it changes besides the log. logs/append.lua checks and writes it."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from ssechat.events.models import Role
from ssechat.ids import UserId
from ssechat.redis import keys


class Join(NamedTuple):
    """Somebody becomes a member."""

    user: UserId
    role: Role = "member"

    @property
    def arguments(self) -> tuple[str, str, str, str | int]:
        return "join", self.user, self.role, keys.bucket(self.user)


class NewRole(NamedTuple):
    """A member gets another role."""

    user: UserId
    role: Role

    @property
    def arguments(self) -> tuple[str, str, str, str | int]:
        return "role", self.user, self.role, ""


class Leave(NamedTuple):
    """A member leaves, or is removed by others."""

    user: UserId
    removed: bool
    name: str
    """The group's, as it is seen by who has left."""

    @property
    def arguments(self) -> tuple[str, str, str, str | int]:
        return "leave", self.user, "removed" if self.removed else "own", self.name


class SetField(NamedTuple):
    """A field of the group's hash gets a value."""

    field: str
    value: str

    @property
    def arguments(self) -> tuple[str, str, str, str | int]:
        return "set", self.field, self.value, ""


class UseInvite(NamedTuple):
    """An invitation is used: its value changes from `made_from` to `value`; an empty one removes it."""

    id: str
    made_from: bytes
    value: bytes

    @property
    def arguments(self) -> tuple[str, str, bytes, bytes]:
        return "invite", self.id, self.made_from, self.value


class Expire(NamedTuple):
    """What the group holds is deleted after so many seconds; its hash stays."""

    seconds: int

    @property
    def arguments(self) -> tuple[str, str, str, str | int]:
        return "expire", str(self.seconds), "", ""


Change: TypeAlias = Join | NewRole | Leave | SetField | UseInvite | Expire


class Precondition(NamedTuple):
    """What must be so, when an action is appended to a group's log, and what changes with it."""

    present: Sequence[UserId] = ()
    """These must be members."""
    list_version: str | None = None
    """The version of the list of members that the action was decided from; None: whichever."""
    new: bool = False
    """There must be no such group yet."""
    changes: Sequence[Change] = ()
