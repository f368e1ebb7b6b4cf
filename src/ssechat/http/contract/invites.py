"""Operations of invitations to groups."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.answers.conversations import Group
from ssechat.http.contract.answers.members import InviteList, InviteWithSecret
from ssechat.http.contract.conversations import CONVERSATION_PATH, OF_GROUPS
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import GROUP, INVITE
from ssechat.http.requests import InviteSecret, NewInvite

TOPIC = "Invitations"
INVITES = CONVERSATION_PATH + "/invites"

OF_ADMINS = (*OF_GROUPS, problems.NOT_ALLOWED)

MAKE = Operation(
    id="make_invite",
    method="POST",
    path=INVITES,
    topic=TOPIC,
    summary="Makes an invitation",
    about="Owners and admins. `expires_in` is in seconds; a week, if it is not given. `/#join=` and the secret is a "
    "link for the page.",
    parameters=(GROUP,),
    body=NewInvite,
    body_may_be_missing=True,
    answers={201: Answer("The invitation, with its secret.", InviteWithSecret)},
    refusals=(*OF_ADMINS, problems.ENDED, problems.TOO_MANY_INVITES, problems.BUSY),
    example={"max_uses": 1},
)

LIST = Operation(
    id="list_invites",
    method="GET",
    path=INVITES,
    topic=TOPIC,
    summary="Lists the invitations that can be used",
    about="Owners and admins.",
    parameters=(GROUP,),
    answers={200: Answer("Invitations, without their secrets.", InviteList)},
    refusals=OF_ADMINS,
)

REVOKE = Operation(
    id="revoke_invite",
    method="DELETE",
    path=INVITES + "/{invite}",
    topic=TOPIC,
    summary="Revokes an invitation",
    about="Owners and admins.",
    parameters=(GROUP, INVITE),
    answers={204: Answer("Nobody can use it.")},
    refusals=(*OF_ADMINS, problems.BUSY),
)

JOIN = Operation(
    id="join_group",
    method="POST",
    path="/v1/invites/join",
    topic=TOPIC,
    summary="Joins a group with an invitation's secret",
    about="The secret stands in the body, where no log has it. A member's repeat uses nothing up.",
    body=InviteSecret,
    answers={200: Answer("The group, of which you are a member now.", Group)},
    refusals=(
        problems.UNKNOWN_INVITE,
        problems.INVITE_EXPIRED,
        problems.INVITE_USED_UP,
        problems.REMOVED,
        problems.GROUP_FULL,
        problems.ENDED,
        problems.BUSY,
    ),
    example={"secret": f"{GROUP.example}.…"},
    events=(kinds.MEMBER.name,),
)
