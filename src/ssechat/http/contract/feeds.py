"""Operations of feeds, and the events of their streams."""

from ssechat.http.contract import problems
from ssechat.http.contract.answers.feeds import FeedHello, FeedItem, FeedNow, FeedSettings, PublishedEvent
from ssechat.http.contract.events import OF_A_STREAM, Bye, CaughtUp, Ping, Retry, StreamEvent, StreamReset
from ssechat.http.contract.operation import EVENT_STREAM, Answer, Credential, Operation
from ssechat.http.contract.parameters import FEED, IF_NONE_MATCH, LAST_EVENT_ID, VALIDATOR
from ssechat.http.feed_requests import FeedFields, FeedNowQuery, FeedStreamQuery, NewFeedEvent

TOPIC = "Feeds"
FEED_PATH = "/v1/feeds/{name}"
EVENTS_PATH = FEED_PATH + "/events"

EXAMPLE_EVENT = {"event": "score", "data": {"home": 2, "guests": 1}, "id": "goal-3"}

OF_A_FEED = "FeedStreamEvent"
"""The name of the schema that is one of the events of a feed's stream."""

PUT = Operation(
    id="put_feed",
    method="PUT",
    path=FEED_PATH,
    topic=TOPIC,
    summary="Makes a feed, or changes it",
    about="What is not given is as if the feed were new. Feeds are made by the admin, who sends the admin token "
    "(`--admin-token-file`) as a bearer token, and with `--feeds anybody` by each user; who made one, and the admin, "
    "change it. If others may read it from then on, its streams end with `bye`, `changed`, and who comes back is told "
    "what is so.",
    credential=Credential.USER_OR_ADMIN,
    parameters=(FEED,),
    body=FeedFields,
    example={"read": "public"},
    answers={
        200: Answer("There was one, which is so now.", FeedSettings),
        201: Answer("The feed is new.", FeedSettings),
    },
    refusals=(
        *(problems.FEEDS_CLOSED, problems.NOT_YOUR_FEED, problems.TOO_MANY_FEEDS, problems.KEYS_STAY),
        *(problems.UNKNOWN_USER, problems.UNKNOWN_CONVERSATION, problems.NOT_A_MEMBER),
    ),
)

SHOW = Operation(
    id="show_feed",
    method="GET",
    path=FEED_PATH,
    topic=TOPIC,
    summary="Shows what a feed has now",
    about="The same as a fresh stream, for those who ask now and then. A public feed may be cached for a second, and "
    "read by pages of any origin.",
    credential=Credential.MAY_BE_USER,
    parameters=(FEED,),
    query=FeedNowQuery,
    headers=(IF_NONE_MATCH,),
    answers={
        200: Answer("The feed.", FeedNow, headers=(VALIDATOR,)),
        304: Answer("It is the one that `If-None-Match` names.", headers=(VALIDATOR,)),
    },
    refusals=(problems.UNKNOWN_FEED, problems.NOT_A_MEMBER),
)

PUBLISH = Operation(
    id="publish_event",
    method="POST",
    path=EVENTS_PATH,
    topic=TOPIC,
    summary="Publishes an event",
    about="Who made the feed, its `publishers`, and the admin may do so. With an `id` a repeat is safe: the same again "
    "is answered 200, and not published again; ids are remembered for a day, but only the newest 10,000 of a feed.",
    credential=Credential.USER_OR_ADMIN,
    parameters=(FEED,),
    body=NewFeedEvent,
    example=EXAMPLE_EVENT,
    answers={201: Answer("It was published.", PublishedEvent), 200: Answer("It was before.", PublishedEvent)},
    refusals=(problems.UNKNOWN_FEED, problems.NOT_A_PUBLISHER, problems.FEED_FULL, problems.IDEMPOTENCY_CONFLICT),
)

STREAM = Operation(
    id="stream_feed",
    method="GET",
    path=EVENTS_PATH,
    topic=TOPIC,
    summary="Streams a feed, as Server-Sent Events",
    about="A public feed needs no credential, and pages of any origin may read it. It resumes as `GET /v1/events` does."
    " A fresh stream begins with the newest value of each key; without keys with what is published from then on, or "
    "with `last` of what was before. Who is slow, or was away, gets the newest value of each key, and none that has "
    "been replaced. Besides `hello`, `caught_up`, `reset`, `ping` and `bye` the events have the names that their "
    "publishers give them, and `message` if they give none. After a `reset`, load the feed with `GET`.",
    credential=Credential.MAY_BE_USER_OR_TICKET,
    parameters=(FEED,),
    query=FeedStreamQuery,
    headers=(LAST_EVENT_ID,),
    answers={200: Answer("The stream.", media_type=EVENT_STREAM, events=OF_A_FEED)},
    refusals=(problems.UNKNOWN_FEED, problems.NOT_A_MEMBER),
)

DELETE = Operation(
    id="delete_feed",
    method="DELETE",
    path=FEED_PATH,
    topic=TOPIC,
    summary="Deletes a feed and all that it has",
    about="Its streams end with `bye`, `changed`. Who made it, and the admin, may do so. That there is none is no "
    "error; `unknown_feed` says that no feed can have this name.",
    credential=Credential.USER_OR_ADMIN,
    parameters=(FEED,),
    answers={204: Answer("There is no such feed.")},
    refusals=(problems.NOT_YOUR_FEED, problems.UNKNOWN_FEED),
)

HELLO = StreamEvent(
    "hello",
    FeedHello,
    has_id=True,
    id_may_be_missing=True,
    says="Which feed it is, whether the stream resumes after your id, and how much you missed.",
    do="Keep the id: a client that has seen no other event resumes from it.",
    example={"feed": "scores", "resumed": False, "missed": 0},
)

PUBLISHED = StreamEvent(
    "",
    FeedItem,
    has_id=True,
    says="What was published, under the name that its publisher gave it.",
    do="Of a feed with keys, put it in the place of what you have of this `key`; with `data` null, forget the key.",
    example={"data": {"home": 2, "guests": 1}, "created_at": "2026-11-26T09:30:00.000Z"},
)
"""The event that has whatever name."""

_DATA = {Retry, CaughtUp, Ping, Bye}
SHARED = tuple(event for event in OF_A_STREAM if event.data in _DATA)
"""Events that both streams have."""

RESET = StreamEvent(
    "reset",
    StreamReset,
    has_id=True,
    says="What you missed is no longer kept, or the server does not know your id.",
    do="Load the feed with `GET`, and go on from this id.",
    example={"reason": "expired", "oldest": "120-7301882716512094432", "newest": "10119-4549717810404159942"},
)
