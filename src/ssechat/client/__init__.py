"""A client of ssechat for programs: asynchronous, typed; it does what is asked once, and misses no event.

A bot that answers each message once, however often it or the server is stopped or killed::

    import asyncio, math, os
    from ssechat.client import Client, MessageEvent, Refused

    async def main() -> None:
        server, token = os.environ["SSECHAT_SERVER"], os.environ["SSECHAT_TOKEN"]
        async with Client(server, token, patience=math.inf) as chat:
            async for event in chat.events(since="0-0", bookmark="echo.bookmark"):
                if isinstance(event, MessageEvent) and event.data.text and event.data.sender != await chat.user():
                    try:
                        await chat.send(event.data.conversation_id, event.data.text, client_msg_id=f"echo-{event.id}")
                    except Refused as refusal:
                        print(refusal)

    asyncio.run(main())

`bookmark` is a file that keeps the id of the last event that was handled; the next run goes on behind it. The event
that the bot was at when it was killed comes once more: with the same `client_msg_id` the answer is not sent twice. The
server may refuse an answer, where the bot was removed from a group, for example; `patience` is how long to retry while
there is no server.

`Client` says how to connect and to receive, `Client.send` and what follows it how to write, and `Groups`
(`chat.groups`) has all about groups. `ssechat send`, `listen` and the other commands are made with it.
"""

from ssechat.client.client import Client
from ssechat.client.errors import ClientError, NotConfirmed, Refused
from ssechat.client.events import (
    BlockChange,
    BlockEvent,
    Bye,
    ByeEvent,
    CaughtUp,
    CaughtUpEvent,
    Event,
    FeedEvent,
    FeedHello,
    FeedHelloEvent,
    GroupChange,
    GroupEvent,
    Hello,
    HelloEvent,
    MarkChange,
    MarkEvent,
    MemberChange,
    MemberEvent,
    MessageChangeEvent,
    MessageEvent,
    OtherEvent,
    Presence,
    PresenceEvent,
    ProfileChange,
    ProfileEvent,
    ReceiptChange,
    ReceiptEvent,
    Reset,
    ResetEvent,
    Typing,
    TypingEvent,
)
from ssechat.client.feed_models import Feed, FeedEntry, FeedItem, FeedNow, Published
from ssechat.client.feeds import Feeds
from ssechat.client.groups import Groups
from ssechat.client.models import (
    Addition,
    Blocked,
    Conversation,
    Invite,
    Limits,
    Mark,
    Me,
    Member,
    Message,
    Page,
    Person,
    PresenceNow,
    Profile,
    Quota,
    Reaction,
    ReactionCount,
    ReadState,
    Receipt,
    Server,
    Session,
    Ticket,
    User,
)
from ssechat.client.stream import EventStream
from ssechat.errors import SettingsError

__all__ = [
    "Addition",
    "BlockChange",
    "BlockEvent",
    "Blocked",
    "Bye",
    "ByeEvent",
    "CaughtUp",
    "CaughtUpEvent",
    "Client",
    "ClientError",
    "Conversation",
    "Event",
    "EventStream",
    "Feed",
    "FeedEntry",
    "FeedEvent",
    "FeedHello",
    "FeedHelloEvent",
    "FeedItem",
    "FeedNow",
    "Feeds",
    "GroupChange",
    "GroupEvent",
    "Groups",
    "Hello",
    "HelloEvent",
    "Invite",
    "Limits",
    "Mark",
    "MarkChange",
    "MarkEvent",
    "Me",
    "Member",
    "MemberChange",
    "MemberEvent",
    "Message",
    "MessageChangeEvent",
    "MessageEvent",
    "NotConfirmed",
    "OtherEvent",
    "Page",
    "Person",
    "Presence",
    "PresenceEvent",
    "PresenceNow",
    "Profile",
    "ProfileChange",
    "ProfileEvent",
    "Published",
    "Quota",
    "Reaction",
    "ReactionCount",
    "ReadState",
    "Receipt",
    "ReceiptChange",
    "ReceiptEvent",
    "Refused",
    "Reset",
    "ResetEvent",
    "Server",
    "Session",
    "SettingsError",
    "Ticket",
    "Typing",
    "TypingEvent",
    "User",
]
