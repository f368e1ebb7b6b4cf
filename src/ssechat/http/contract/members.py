"""Operations of the members of groups."""

from ssechat.events import kinds
from ssechat.events.models import UserRole
from ssechat.http.contract import problems
from ssechat.http.contract.answers.members import AddedMembers, MemberPage
from ssechat.http.contract.conversations import CONVERSATION_PATH, OF_GROUPS
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import GROUP, USER
from ssechat.http.requests import MemberRole, MembersQuery, NewMembers

TOPIC = "Members"
MEMBERS = CONVERSATION_PATH + "/members"
MEMBER = MEMBERS + "/{user}"

OF_CHANGES = (*OF_GROUPS, problems.NOT_ALLOWED, problems.ENDED, problems.BUSY)

LIST = Operation(
    id="list_members",
    method="GET",
    path=MEMBERS,
    topic=TOPIC,
    summary="Lists the members of a group, by name",
    parameters=(GROUP,),
    query=MembersQuery,
    answers={200: Answer("A page of members.", MemberPage)},
    refusals=OF_GROUPS,
)

ADD = Operation(
    id="add_members",
    method="POST",
    path=MEMBERS,
    topic=TOPIC,
    summary="Adds members",
    about="Owners and admins. All at once: one entry of the log, and one event. Who has blocked you can join by an "
    "invitation only: 403 `blocked` names them, and nobody is added.",
    parameters=(GROUP,),
    body=NewMembers,
    answers={200: Answer("They are members.", AddedMembers)},
    refusals=(*OF_CHANGES, problems.UNKNOWN_USER, problems.GROUP_FULL, problems.BLOCKED),
    example={"users": ["carol"]},
    events=(kinds.MEMBER.name,),
)

PUT = Operation(
    id="put_member",
    method="PUT",
    path=MEMBER,
    topic=TOPIC,
    summary="Adds a member, or gives a role",
    about="Without a `role` it adds the user (owners and admins). A `role`, which owners give, is `owner`, `admin` or "
    "`member`.",
    parameters=(GROUP, USER),
    body=MemberRole,
    body_may_be_missing=True,
    answers={200: Answer("The member.", UserRole)},
    refusals=(*OF_CHANGES, problems.UNKNOWN_USER, problems.GROUP_FULL, problems.LAST_OWNER, problems.BLOCKED),
    example={"role": "admin"},
    events=(kinds.MEMBER.name,),
)

REMOVE = Operation(
    id="remove_member",
    method="DELETE",
    path=MEMBER,
    topic=TOPIC,
    summary="Removes a member; yourself: leaves",
    about="Owners remove everybody, admins remove members. A group that has ended can be left, too, also by its only "
    "owner: then it is not in your list any more.",
    parameters=(GROUP, USER),
    answers={204: Answer("The user is no member.")},
    refusals=(*OF_CHANGES, problems.LAST_OWNER),
    events=(kinds.MEMBER.name,),
)
