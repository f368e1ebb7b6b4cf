"""Why the log of a conversation did not take an action. The rules make answers of these, or decide anew."""

from collections.abc import Sequence

from ssechat.errors import ChatError
from ssechat.ids import UserId


class NotAppended(ChatError):
    """The log did not take the action; nothing was stored."""


class MessageChanged(NotAppended):
    """The message that a change was made from is not the one that stands now (`message`, JSON; None if it is gone)."""

    def __init__(self, message: bytes | None) -> None:
        super().__init__("the message has been changed by somebody else")
        self.message = message


class MembersChanged(NotAppended):
    """The members, or the invitation, are not those any more from which the action was decided."""

    def __init__(self) -> None:
        super().__init__("the members have been changed by somebody else")


class Absent(NotAppended):
    """Some who must be members are none (`users`)."""

    def __init__(self, users: Sequence[UserId]) -> None:
        super().__init__("some who must be members are not")
        self.users = users


class Blocked(NotAppended):
    """Of the two of a direct conversation these (`by`) have blocked the other."""

    def __init__(self, by: Sequence[UserId]) -> None:
        super().__init__("one of the two has blocked the other")
        self.by = by


class NoSuchGroup(NotAppended):
    """There is no such group."""

    def __init__(self) -> None:
        super().__init__("there is no such group")


class GroupEnded(NotAppended):
    """The group has ended."""

    def __init__(self) -> None:
        super().__init__("the group has ended")


class GroupExists(NotAppended):
    """The group was made before, by the request with this digest (hex)."""

    def __init__(self, made: str) -> None:
        super().__init__("the group was made before")
        self.made = made
