"""Sessions and the password, as a client says and asks it."""

from ssechat.client.calls import Calls
from ssechat.client.errors import Doubt, NotConfirmed
from ssechat.client.models import Session
from ssechat.client.objects import object_of
from ssechat.client.transport import path


class Sessions:
    """What a user can do with its password, and with the sessions that it began."""

    _calls: Calls

    async def change_password(self, old: str, new: str) -> None:
        """Changes the password, and ends all sessions but that of this client.

        It is not repeated by itself: `NotConfirmed` says that one of the two passwords is right.

        Raises:
            Refused: `wrong_password`, for example.
        """
        body = {"old": old, "new": new}
        try:
            await self._calls.ask("PUT", "/v1/me/password", body=body, doubt=Doubt.CHANGE, repeatable=False)
        except NotConfirmed:
            self._calls.credential.password_changes(new, certain=False)
            raise
        self._calls.credential.password_changes(new, certain=True)

    async def sessions(self) -> list[Session]:
        """Where the user is signed in, the newest session first."""
        answer = object_of(await self._calls.ask("GET", "/v1/me/sessions"))
        return [Session.read(each) for each in answer.get("sessions", ())]

    async def end_session(self, session: str) -> None:
        """Ends one of the user's sessions (its id), and all of its streams.

        Raises:
            Refused: `unknown_session`.
        """
        await self._calls.ask("DELETE", path("v1", "me", "sessions", session), doubt=Doubt.CHANGE)
