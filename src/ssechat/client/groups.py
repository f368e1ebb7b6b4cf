"""Groups: their names, members and invitations, as a client asks for them."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ssechat.client.calls import SAFE_TO_REPEAT, Calls
from ssechat.client.pages import listed, pages
from ssechat.client.transport import path


class Groups:
    """What a user can do with groups. A group is given by its id; errors are those of `Client`."""

    def __init__(self, calls: Calls, patience: float) -> None:
        """`patience` is in seconds."""
        self._calls = calls
        self._patience = patience

    def make(
        self,
        name: str,
        members: Sequence[str] = (),
        *,
        topic: str | None = None,
        history: str | None = None,
        client_msg_id: str | None = None,
    ) -> Mapping[str, Any]:
        """Makes a group, once however many attempts there are, and returns it.

        `history` is what new members may read: `all`, or `from_join`.
        """
        client_msg_id = client_msg_id or uuid.uuid4().hex
        body: dict[str, Any] = {"name": name, "members": list(members), "client_msg_id": client_msg_id}
        body |= {field: value for field, value in (("topic", topic), ("history", history)) if value is not None}
        advice = f"The group may have been made: to retry without making it twice, add --client-msg-id {client_msg_id}"
        return self._calls.ask("POST", "/v1/conversations", body=body, patience=self._patience, advice=advice)

    def show(self, group: str) -> Mapping[str, Any]:
        """A group as it stands."""
        return self._ask("GET", _group(group))

    def change(self, group: str, *, name: str | None = None, topic: str | None = None) -> Mapping[str, Any]:
        """Renames a group or sets its topic, and returns the group."""
        return self._ask("PATCH", _group(group), {k: v for k, v in (("name", name), ("topic", topic)) if v is not None})

    def end(self, group: str) -> None:
        """Ends a group for all."""
        self._ask("DELETE", _group(group))

    def members(self, group: str) -> Iterator[Mapping[str, Any]]:
        """Yields each member's `user` and `role`."""
        return pages(self._calls, _group(group) + "/members", "members", "after", self._patience)

    def add(self, group: str, users: Sequence[str]) -> Mapping[str, Any]:
        """Adds users; returns who was `added`, and the `member_count`."""
        return self._ask("POST", _group(group) + "/members", {"users": list(users)})

    def set_role(self, group: str, user: str, role: str) -> Mapping[str, Any]:
        """Makes a member an `owner`, `admin` or `member`."""
        return self._ask("PUT", _group(group) + path("members", user), {"role": role})

    def remove(self, group: str, user: str) -> None:
        """Removes a member; oneself: leaves."""
        self._ask("DELETE", _group(group) + path("members", user))

    def invite(self, group: str, *, expires_in: int | None = None, max_uses: int | None = None) -> Mapping[str, Any]:
        """Makes an invitation, and returns it with its `secret`. `expires_in` is in seconds."""
        body = {k: v for k, v in (("expires_in", expires_in), ("max_uses", max_uses)) if v is not None}
        return self._calls.ask(
            "POST",
            _group(group) + "/invites",
            body=body,
            patience=self._patience,
            # A second attempt would make a second invitation.
            repeatable=False,
            advice="The invitation may have been made: `ssechat group invites` lists those there are",
        )

    def invites(self, group: str) -> list[Mapping[str, Any]]:
        """The invitations of a group, without their secrets."""
        return listed(self._ask("GET", _group(group) + "/invites"), "invites")

    def revoke(self, group: str, invite: str) -> None:
        """Takes an invitation back."""
        self._ask("DELETE", _group(group) + path("invites", invite))

    def join(self, secret: str) -> Mapping[str, Any]:
        """Joins the group of an invitation, and returns the group."""
        return self._ask("POST", "/v1/invites/join", {"secret": secret})

    def _ask(self, method: str, where: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        advice = "" if method == "GET" else SAFE_TO_REPEAT
        return self._calls.ask(method, where, body=body, patience=self._patience, advice=advice)


def _group(group: str) -> str:
    return path("v1", "conversations", group)
