"""Who and what is on the attacked server: the people and messages of the document's examples, and groups."""

from dataclasses import dataclass

import httpx

URL, TOKEN = "ATTACK_URL", "ATTACK_TOKEN"
"""Variables with the server's URL, and with a token that no sign-out ends."""

NAMES = ("alice", "bob", "carol")
"""The first is who attacks."""

PASSWORD = "not that of the examples"
GROUPS = 12
"""Some are ended, or left, on the way."""

EMOJI = "👍"


@dataclass(frozen=True)
class World:
    """What there is to attack."""

    conversations: list[str]
    """Those of the first person: a direct one, and groups."""
    groups: list[str]
    """Its groups alone, which it owns."""
    invites: list[str]
    """Ids of invitations to the first group."""
    secrets: list[str]
    """Of invitations to groups of the second person."""
    feeds: list[str]
    """Some of the first person's, with keys and without, and one that the attack makes."""


def build(url: str) -> World:
    """Signs people up, who write to each other, make groups, and invite."""
    with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        alice, bob, _ = (_sign_up(client, name) for name in NAMES)
        said = _made(client, alice, "/v1/messages", {"to": NAMES[1], "text": "hi", "client_msg_id": "first"})
        direct = said["conversation_id"]
        for text in ("hello", "how are you?"):
            _made(client, bob, "/v1/messages", {"to": NAMES[0], "text": text})
        client.put(f"/v1/conversations/{direct}/messages/1/reactions/{EMOJI}", headers=bob).raise_for_status()
        groups = [_group(client, alice, f"Lunch {number}", NAMES[1:2]) for number in range(GROUPS)]
        theirs = [_group(client, bob, f"Dinner {number}", ()) for number in range(3)]
        invites = [_made(client, alice, f"/v1/conversations/{groups[0]}/invites", {})["id"] for _ in range(3)]
        secrets = [_made(client, bob, f"/v1/conversations/{group}/invites", {})["secret"] for group in theirs]
        feeds = [f"feed-{number}" for number in range(4)]
        for name, body in zip(
            feeds, ({"read": "public"}, {"read": "public", "keyed": True}, {"read": "users"}), strict=False
        ):
            client.put(f"/v1/feeds/{name}", json=body, headers=alice).raise_for_status()
        client.cookies.clear()
    return World([direct, *groups], groups, invites, secrets, feeds)


def _sign_up(client: httpx.Client, name: str) -> dict[str, str]:
    answer = client.post("/v1/users", json={"name": name, "password": PASSWORD}).raise_for_status()
    client.cookies.clear()
    return {"authorization": f"Bearer {answer.json()['token']}"}


def _made(client: httpx.Client, who: dict[str, str], path: str, body: object) -> dict[str, str]:
    made: dict[str, str] = client.post(path, json=body, headers=who).raise_for_status().json()
    return made


def _group(client: httpx.Client, who: dict[str, str], name: str, members: tuple[str, ...]) -> str:
    group = _made(client, who, "/v1/conversations", {"name": name, "members": list(members)})["id"]
    for text in ("one", "two", "three"):
        _made(client, who, "/v1/messages", {"conversation_id": group, "text": text})
    return group
