"""What a user has read, as a client says and asks it."""

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt
from ssechat.client.models import Mark
from ssechat.client.transport import path


class Marks:
    """What a user can do with what is unread. All of it holds for all of the user's devices."""

    _calls: Calls

    async def mark_read(self, conversation: str, up_to: int) -> Mark:
        """Marks the messages up to this seq as read, and returns the mark: it rises only, up to the newest message."""
        return await self._put_mark(conversation, "read", up_to=up_to)

    async def ack(self, id: str) -> None:
        """Says that this device has the event with this id, and all before it: the others see what was delivered.

        `events(ack=True)` does so by itself.
        """
        await self._calls.ask("POST", "/v1/ack", body={"id": id}, doubt=Doubt.CHANGE)

    async def mute(self, conversation: str, *, muted: bool = True) -> Mark:
        """Mutes a conversation, or unmutes it, and returns the mark."""
        return await self._put_mark(conversation, "mute", muted=muted)

    async def say_typing(self, conversation: str) -> None:
        """Says that the user is writing. It is forgotten after 15 seconds, or with the message."""
        where = path("v1", "conversations", conversation, "typing")
        await self._calls.ask("POST", where, body={}, doubt=Doubt.NOTHING)

    async def _put_mark(self, conversation: str, what: str, **value: int | bool) -> Mark:
        where = path("v1", "conversations", conversation, what)
        return Mark.read(await self._calls.object("PUT", where, body=value, doubt=Doubt.CHANGE))
