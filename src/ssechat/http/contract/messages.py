"""Operations of messages."""

from ssechat.events import kinds
from ssechat.events.models import Message
from ssechat.http.contract import problems
from ssechat.http.contract.answers.messages import MessagePage
from ssechat.http.contract.conversations import CONVERSATION_PATH
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import CONVERSATION, ETAG, IDEMPOTENCY_KEY, IF_MATCH, SEQ
from ssechat.http.requests import HistoryQuery, MessageChange, NewMessage

TOPIC = "Messages"
MESSAGES = CONVERSATION_PATH + "/messages"
MESSAGE = MESSAGES + "/{seq}"

OF_READING = (problems.UNKNOWN_CONVERSATION, problems.NOT_A_MEMBER)
OF_CHANGES = (
    *OF_READING,
    problems.UNKNOWN_MESSAGE,
    problems.NOT_ALLOWED,
    problems.ENDED,
    problems.CHANGED,
    problems.BUSY,
)

SEND = Operation(
    id="send_message",
    method="POST",
    path="/v1/messages",
    topic=TOPIC,
    summary="Sends a message",
    about="`to` is a user; or `conversation_id` is a conversation. The same `client_msg_id` is sent once to a "
    "conversation: a repeat is answered with the message as it stands, for at least seven days. `reply_to` is the "
    "`seq` of a message, `mentions` are names of members, `data` is any object of your application's.",
    headers=(IDEMPOTENCY_KEY,),
    body=NewMessage,
    answers={
        201: Answer("It is in the log, and in every member's inbox.", Message),
        200: Answer("It was sent before; as it stands now.", Message),
    },
    refusals=(
        *OF_READING,
        problems.UNKNOWN_USER,
        problems.ENDED,
        problems.BLOCKED,
        problems.IDEMPOTENCY_CONFLICT,
    ),
    example={"to": "bob", "text": "hi", "client_msg_id": "note-1"},
    events=(kinds.MESSAGE.name,),
)

HISTORY = Operation(
    id="list_messages",
    method="GET",
    path=MESSAGES,
    topic=TOPIC,
    summary="Reads a page of a conversation",
    about="The newest messages; or those before, after or around a `seq`. A page has 256 KiB at most, or one message "
    "that is larger: `has_more` says whether there are more, not the number of messages.",
    parameters=(CONVERSATION,),
    query=HistoryQuery,
    answers={200: Answer("Messages in order of seq.", MessagePage)},
    refusals=OF_READING,
)

SHOW = Operation(
    id="show_message",
    method="GET",
    path=MESSAGE,
    topic=TOPIC,
    summary="Reads one message",
    parameters=(CONVERSATION, SEQ),
    answers={200: Answer("The message as it stands, or its tombstone.", Message, headers=(ETAG,))},
    refusals=(*OF_READING, problems.UNKNOWN_MESSAGE),
)

EDIT = Operation(
    id="edit_message",
    method="PATCH",
    path=MESSAGE,
    topic=TOPIC,
    summary="Edits your message",
    about="What is not given stays. `null` as `data` takes the data away. A message that is already as it shall be is "
    "a success, whatever `If-Match` says, and makes no event.",
    parameters=(CONVERSATION, SEQ),
    headers=(IF_MATCH,),
    body=MessageChange,
    answers={200: Answer("The message as it stands.", Message, headers=(ETAG,))},
    refusals=(*OF_CHANGES, problems.DELETED, problems.BLOCKED),
    example={"text": "hello"},
    events=(kinds.MESSAGE_UPDATED.name,),
)

DELETE = Operation(
    id="delete_message",
    method="DELETE",
    path=MESSAGE,
    topic=TOPIC,
    summary="Deletes a message",
    about="Your own; as owner of a group anybody's, as admin a member's. Its place in the order stays.",
    parameters=(CONVERSATION, SEQ),
    headers=(IF_MATCH,),
    answers={200: Answer("The tombstone.", Message, headers=(ETAG,))},
    refusals=OF_CHANGES,
    events=(kinds.MESSAGE_DELETED.name,),
)
