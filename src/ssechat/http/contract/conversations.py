"""Operations of conversations and groups."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.answers.conversations import ConversationPage, DirectConversation, Group, LeftGroup
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import CONVERSATION, GROUP, IDEMPOTENCY_KEY
from ssechat.http.requests import GroupChange, ListQuery, NewGroup

TOPIC = "Conversations and groups"
CONVERSATIONS = "/v1/conversations"
CONVERSATION_PATH = CONVERSATIONS + "/{id}"

OF_GROUPS = (problems.UNKNOWN_CONVERSATION, problems.NOT_A_GROUP, problems.NOT_A_MEMBER)

LIST = Operation(
    id="list_conversations",
    method="GET",
    path=CONVERSATIONS,
    topic=TOPIC,
    summary="Lists your conversations, newest event first",
    about="Without the groups that you have left. A page has 256 KiB at most: `next` says whether there are more.",
    query=ListQuery,
    answers={200: Answer("A page of conversations.", ConversationPage)},
)

MAKE = Operation(
    id="make_group",
    method="POST",
    path=CONVERSATIONS,
    topic=TOPIC,
    summary="Makes a group, whose owner you are",
    about='`history` is what those who join later read: `"all"`, or what is sent `"from_join"` on. The same '
    "`client_msg_id` never makes two groups.",
    headers=(IDEMPOTENCY_KEY,),
    body=NewGroup,
    answers={
        201: Answer("The new group.", Group),
        200: Answer("It was made before; as it stands now.", Group | LeftGroup),
    },
    refusals=(problems.UNKNOWN_USER, problems.GROUP_FULL, problems.BLOCKED, problems.IDEMPOTENCY_CONFLICT),
    example={"name": "Lunch", "members": ["bob"], "client_msg_id": "lunch-1"},
    events=(kinds.MEMBER.name,),
)

SHOW = Operation(
    id="show_conversation",
    method="GET",
    path=CONVERSATION_PATH,
    topic=TOPIC,
    summary="Describes one conversation",
    parameters=(CONVERSATION,),
    answers={
        200: Answer(
            "The conversation; of a group that you have left, what was so then.", DirectConversation | Group | LeftGroup
        )
    },
    refusals=(problems.UNKNOWN_CONVERSATION, problems.NOT_A_MEMBER),
)

CHANGE = Operation(
    id="change_group",
    method="PATCH",
    path=CONVERSATION_PATH,
    topic=TOPIC,
    summary="Renames a group, or sets its topic",
    about='Owners and admins. `""` as `topic` takes the topic away.',
    parameters=(GROUP,),
    body=GroupChange,
    answers={200: Answer("The group.", Group)},
    refusals=(*OF_GROUPS, problems.NOT_ALLOWED, problems.ENDED, problems.BUSY),
    example={"name": "Lunch at noon"},
    events=(kinds.CONVERSATION.name,),
)

END = Operation(
    id="end_group",
    method="DELETE",
    path=CONVERSATION_PATH,
    topic=TOPIC,
    summary="Ends a group",
    about="Owners only. Members can read it for 30 days.",
    parameters=(GROUP,),
    answers={204: Answer("It has ended.")},
    refusals=(*OF_GROUPS, problems.NOT_ALLOWED, problems.BUSY),
    events=(kinds.CONVERSATION.name,),
)
