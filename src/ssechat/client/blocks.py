"""Whom a user blocks, as a client says and asks it."""

from collections.abc import AsyncIterator

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt
from ssechat.client.models import Blocked
from ssechat.client.pages import pages
from ssechat.client.transport import path


class Blocks:
    """What a user can do about people who shall not write to it. It holds for all of the user's devices."""

    _calls: Calls

    async def block(self, user: str) -> Blocked:
        """Blocks a user: neither can write to the other directly, and the one blocked cannot add the other to groups.
        That it is so already is no error."""
        return Blocked.read(await self._calls.object("PUT", path("v1", "blocks", user), doubt=Doubt.CHANGE))

    async def unblock(self, user: str) -> None:
        """Takes a block back. That there is none is no error."""
        await self._calls.ask("DELETE", path("v1", "blocks", user), doubt=Doubt.CHANGE)

    def blocks(self) -> AsyncIterator[Blocked]:
        """Yields those whom the user has blocked, by name."""
        return pages(self._calls, "/v1/blocks", "blocks", "after", Blocked)
