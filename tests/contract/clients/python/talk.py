"""Two people talk by a client that openapi-python-client made of the contract: `python talk.py URL`. It prints what was
said."""

import datetime
import json
import sys
from typing import Literal, assert_type

from chat_client import AuthenticatedClient, Client
from chat_client.api.accounts import sign_in, sign_up
from chat_client.api.conversations_and_groups import list_conversations, make_group
from chat_client.api.members import put_member
from chat_client.api.messages import edit_message, list_messages, send_message
from chat_client.api.reactions import react
from chat_client.models import (
    ConversationPage,
    Credentials,
    Data,
    DirectConversation,
    Group,
    InvalidRequestProblem,
    MemberRole,
    Message,
    MessageChange,
    MessagePage,
    NameTakenProblem,
    NewGroup,
    NewMessage,
    NewUser,
    Role,
    SignedIn,
    UserRole,
    WrongCredentialsProblem,
)
from chat_client.types import UNSET

PASSWORD = "correct horse"


def join(url: str, name: str) -> AuthenticatedClient:
    """Signs up."""
    answer = sign_up.sync(client=Client(base_url=url), body=NewUser(name=name, password=PASSWORD))
    assert isinstance(answer, SignedIn), answer
    return AuthenticatedClient(base_url=url, token=answer.token)


def talk(url: str) -> dict[str, object]:
    """Returns what was said."""
    alice, bob = join(url, "alice"), join(url, "bob")
    data = Data.from_dict({"card": 7})
    sent = send_message.sync(client=alice, body=NewMessage(to="bob", text="hi", data=data))
    assert isinstance(sent, Message), sent
    assert isinstance(sent.created_at, datetime.datetime)
    edited = edit_message.sync(sent.conversation_id, sent.seq, client=alice, body=MessageChange(text="hello"))
    assert isinstance(edited, Message)
    assert edited.text == "hello"
    assert edited.data == data
    reacted = react.sync(sent.conversation_id, sent.seq, "👍", client=bob)
    assert isinstance(reacted, Message)
    assert reacted.reactions
    assert [(one.emoji, one.users) for one in reacted.reactions] == [("👍", ["bob"])]

    group = make_group.sync(client=alice, body=NewGroup(name="Lunch", members=["bob"]))
    assert isinstance(group, Group), group
    assert group.role is Role.OWNER
    for person, text in ((alice, "noon?"), (bob, "noon!")):
        answer = send_message.sync(client=person, body=NewMessage(conversation_id=group.id, text=text))
        assert isinstance(answer, Message), answer
    admin = put_member.sync(group.id, "bob", client=alice, body=MemberRole(role=Role.ADMIN))
    assert admin == UserRole(user="bob", role=Role.ADMIN)
    history = list_messages.sync(group.id, client=bob, after=0, limit=10)
    assert isinstance(history, MessagePage), history
    assert not history.has_more

    first = list_conversations.sync(client=alice, limit=1)
    assert isinstance(first, ConversationPage), first
    assert first.next_ is not None
    second = list_conversations.sync(client=alice, limit=1, before=first.next_)
    assert isinstance(second, ConversationPage), second
    kinds = [
        " and ".join(one.members) if isinstance(one, DirectConversation) else one.name
        for one in (*first.conversations, *second.conversations)
    ]

    blank = send_message.sync(client=bob, body=NewMessage(to="alice", text=" "))
    assert isinstance(blank, InvalidRequestProblem), blank
    assert_type(blank.code, Literal["invalid_request"])
    taken = sign_up.sync(client=Client(base_url=url), body=NewUser(name="bob", password=PASSWORD))
    assert isinstance(taken, NameTakenProblem), taken
    assert_type(taken.code, Literal["name_taken"])
    wrong = sign_in.sync(client=Client(base_url=url), body=Credentials(name="bob", password="guessed"))
    assert isinstance(wrong, WrongCredentialsProblem), wrong
    return {
        "history": [f"{one.sender}: {one.text}" for one in history.messages],
        "conversations": kinds,
        "blank": [] if blank.fields is UNSET or not blank.fields else [one.field for one in blank.fields],
        "taken": taken.code,
        "wrong": wrong.code,
    }


if __name__ == "__main__":
    print(json.dumps(talk(sys.argv[1])))
