"""The client against the contract: it has each operation, and a type for all that is answered and sent."""

import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from scripted import Script
from ssechat.client import Client, MessageChangeEvent, MessageEvent, OtherEvent, events, feed_models, models
from ssechat.client.events import parse_event
from ssechat.client.models import Model
from ssechat.events import frames
from ssechat.http import contract
from ssechat.http.contract import answers
from ssechat.http.contract.events import EVENTS, StreamEvent
from ssechat.http.contract.operation import Credential, Operation

GROUP = "g:" + "a" * 26
ANSWER = {
    **{"id": GROUP, "conversation_id": GROUP, "seq": 7, "user": "bob", "token": "t", "ticket": "t", "expires_in": 30},
    **{
        "name": "ssechat",
        "members": [],
        "messages": [],
        "conversations": [],
        "reactions": [],
        "invites": [],
        "sessions": [],
        "users": [],
        "blocks": [],
    },
}


def operations() -> dict[str, Operation]:
    """The operations that programs use, by id."""
    found = {}
    for module in pkgutil.iter_modules(contract.__path__, f"{contract.__name__}."):
        for each in vars(importlib.import_module(module.name)).values():
            if isinstance(each, Operation) and each.path.startswith("/v1/"):
                found[each.id] = each
    return found


async def every(items: Any) -> None:
    """Reads a list to its end."""
    async for _ in items:
        pass


Call = Callable[[Client], Awaitable[object]]
CALLS: dict[str, list[Call]] = {
    "show_user": [lambda c: c.exists("bob"), lambda c: c.show_user("bob")],
    "list_users": [lambda c: c.find_users("bob"), lambda c: c.show_users(["alice", "bob"])],
    "change_me": [
        lambda c: c.change_profile(display_name="Bob", avatar_url=None),
        lambda c: c.change_profile(receipts=False),
    ],
    "change_password": [lambda c: c.change_password("correct horse", "battery staple")],
    "list_sessions": [lambda c: c.sessions()],
    "end_session": [lambda c: c.end_session("s")],
    "watch_presence": [
        lambda c: c.watch(["bob"]),
        lambda c: c.watch([], group=GROUP, device="a tab"),
        lambda c: c.set_visible(False),
    ],
    "show_session": [lambda c: c.user()],
    "sign_out": [lambda c: c.sign_out()],
    "show_server": [lambda c: c.server()],
    "show_limits": [lambda c: c.limits()],
    "issue_ticket": [lambda c: c.ticket()],
    "list_conversations": [lambda c: every(c.conversations())],
    "show_conversation": [lambda c: c.conversation(GROUP), lambda c: c.groups.show(GROUP)],
    "make_group": [lambda c: c.groups.make("Lunch"), lambda c: c.groups.make("L", ["a"], topic="", history="all")],
    "change_group": [lambda c: c.groups.change(GROUP, name="L"), lambda c: c.groups.change(GROUP, topic="")],
    "end_group": [lambda c: c.groups.end(GROUP)],
    "list_members": [lambda c: every(c.groups.members(GROUP))],
    "add_members": [lambda c: c.groups.add(GROUP, ["bob"])],
    "put_member": [lambda c: c.groups.set_role(GROUP, "bob", "admin")],
    "remove_member": [lambda c: c.groups.remove(GROUP, "bob")],
    "make_invite": [lambda c: c.groups.invite(GROUP), lambda c: c.groups.invite(GROUP, expires_in=60, max_uses=1)],
    "list_invites": [lambda c: c.groups.invites(GROUP)],
    "revoke_invite": [lambda c: c.groups.revoke(GROUP, "i")],
    "join_group": [lambda c: c.groups.join("secret")],
    "send_message": [
        lambda c: c.send("bob", "hi"),
        lambda c: c.send(GROUP, "hi", client_msg_id="m", reply_to=1, mentions=["bob"], data={"a": 1}),
    ],
    "list_messages": [
        lambda c: every(c.history(GROUP)),
        lambda c: every(c.history(GROUP, after=0)),
        lambda c: every(c.history(GROUP, before=9)),
        lambda c: c.page(GROUP, around=7),
    ],
    "show_message": [lambda c: c.message(GROUP, 7)],
    "edit_message": [
        lambda c: c.edit(GROUP, 7, "hi", if_match='"x"'),
        lambda c: c.edit(GROUP, 7, mentions=["bob"], data=None),
    ],
    "delete_message": [lambda c: c.delete(GROUP, 7)],
    "list_reactions": [lambda c: every(c.reactions(GROUP, 7)), lambda c: every(c.reactions(GROUP, 7, user="bob"))],
    "react": [lambda c: c.react(GROUP, 7, "👍")],
    "take_reaction_back": [lambda c: c.take_back(GROUP, 7, "👍")],
    "mark_read": [lambda c: c.mark_read(GROUP, 7)],
    "mute": [lambda c: c.mute(GROUP), lambda c: c.mute(GROUP, muted=False)],
    "show_me": [lambda c: c.me()],
    "acknowledge": [lambda c: c.ack("7-7")],
    "say_typing": [lambda c: c.say_typing(GROUP)],
    "list_blocks": [lambda c: every(c.blocks())],
    "block_user": [lambda c: c.block("bob")],
    "unblock_user": [lambda c: c.unblock("bob")],
    "put_feed": [
        lambda c: c.feeds.put("scores", "public"),
        lambda c: c.feeds.put("scores", "group", group=GROUP, keep=5, keyed=True, publishers=["bob"]),
    ],
    "show_feed": [lambda c: c.feeds.show("scores"), lambda c: c.feeds.show("scores", last=5)],
    "delete_feed": [lambda c: c.feeds.delete("scores")],
    "publish_event": [
        lambda c: c.feeds.publish("scores", {"home": 1}),
        lambda c: c.feeds.publish("scores", None, event="score", key="a", id="i"),
    ],
    "stream_feed": [
        lambda c: anext(c.feeds.events("scores")),
        lambda c: anext(c.feeds.events("scores", "0-0", last=5)),
    ],
    "stream_events": [lambda c: anext(c.events()), lambda c: anext(c.events("0-0"))],
}
BY_THEIR_OWN = {"sign_in", "sign_up"}
"""Operations that no method of a client is for: its making is (test_client_credentials.py)."""


@pytest.mark.anyio
@pytest.mark.parametrize("id", sorted({*operations()} - BY_THEIR_OWN))
async def test_the_client_asks_for_each_operation_as_the_contract_has_it(id: str) -> None:
    operation = operations()[id]
    stream = httpx.Response(200, text="event: x\ndata: 1\n\n", headers={"content-type": "text/event-stream"})
    pattern = re.sub(r"\{\w+\}", "[^/]+", operation.path)
    for call, status in product(CALLS[id], operation.answers):
        script = Script(stream if operation.streams else httpx.Response(status, json=ANSWER))
        if operation.credential in (Credential.MAY_BE_USER, Credential.MAY_BE_USER_OR_TICKET) and status == 304:
            continue  # the client has nothing that it could name
        await call(script.client())
        [request] = script.requests
        assert request.method == operation.method
        assert re.fullmatch(pattern, request.url.raw_path.decode().partition("?")[0])
        if operation.query is not None:
            operation.query.model_validate(dict(request.url.params))
        else:
            assert request.url.query == b""
        if operation.body is not None and not (operation.body_may_be_missing and not request.content):
            operation.body.model_validate_json(request.content)


def models_of(type_: Any) -> Iterator[type[BaseModel]]:
    """The models in a type: itself, or those of a union."""
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        yield type_
    elif typing.get_origin(type_) in (typing.Union, types.UnionType):
        for each in typing.get_args(type_):
            yield from models_of(each)


@pytest.mark.parametrize(
    "event", [each for each in EVENTS if each.name not in (frames.RETRY, frames.PING)], ids=lambda each: each.name
)
def test_each_event_of_the_contract_has_a_type_with_all_of_its_fields(event: StreamEvent) -> None:
    said = parse_event(event.name, "1-1", frames.encode(event.example).decode())
    assert not isinstance(said, OtherEvent)
    assert said.raw == event.example
    assert not said.data.model_extra
    fields = {field for model in models_of(event.data) for field in model.model_fields}
    assert fields
    if isinstance(said, MessageEvent | MessageChangeEvent):
        fields.remove("mark")  # it is beside the message
        assert said.mark is not None
        assert said.mark.model_dump(mode="json") == event.example["mark"]
    assert fields <= set(type(said.data).model_fields)


PAGES = {
    "ConversationPage",
    "MemberPage",
    "InviteList",
    "ReactionPage",
    "SignedIn",
    "WhoAmI",
    "Nothing",
    "SessionList",
    "UserList",
    "BlockPage",
}
"""Answers whose items or fields are what the client returns."""

OF_THE_CLIENT: dict[str, type[Model]] = {
    "DirectConversation": models.Conversation,
    "Group": models.Conversation,
    "LeftGroup": models.Conversation,
    "MessagePage": models.Page,
    "Message": models.Message,
    "AddedMembers": models.Addition,
    "Invite": models.Invite,
    "InviteWithSecret": models.Invite,
    "OneReaction": models.Reaction,
    "Blocked": models.Blocked,
    "FeedSettings": feed_models.Feed,
    "FeedEntry": feed_models.FeedEntry,
    "FeedItem": feed_models.FeedItem,
    "FeedNow": feed_models.FeedNow,
    "PublishedEvent": feed_models.Published,
    "UserRole": models.Member,
    "Server": models.Server,
    "Session": models.Session,
    "StreamTicket": models.Ticket,
    "Marked": models.Mark,
    "Me": models.Me,
    "Profile": models.Profile,
    "PresenceNow": models.PresenceNow,
    "Person": models.Person,
    "User": models.User,
    "UserName": models.User,
    "Limits": models.Limits,
    "Quota": models.Quota,
}


def test_each_answer_of_the_contract_has_a_type_with_all_of_its_fields() -> None:
    answered = {
        model.__name__: model
        for operation in operations().values()
        for answer in operation.answers.values()
        for model in models_of(answer.model)
    }
    names = [f"{answers.__name__}.{module.name}" for module in pkgutil.iter_modules(answers.__path__)]
    for module in map(importlib.import_module, ("ssechat.events.models", *names)):
        answered |= {name: vars(module)[name] for name in OF_THE_CLIENT if name in vars(module)}
    assert {*answered} == {*OF_THE_CLIENT, *PAGES}
    for name, model in OF_THE_CLIENT.items():
        known = {field.alias or name for name, field in model.model_fields.items()}
        assert {*answered[name].model_fields} <= known, name


def test_each_type_of_the_client_is_public() -> None:
    from ssechat import client

    made = {
        name
        for module in (models, feed_models, events)
        for name, each in vars(module).items()
        if isinstance(each, type) and each.__module__ == module.__name__ and not name.startswith("_")
    }
    assert made - {"Model"} <= {*client.__all__}
    assert [*client.__all__] == sorted(client.__all__)
    for name in client.__all__:
        assert vars(client)[name].__doc__
