"""Operations of profiles, one's own and those of others, and of the directory."""

from ssechat.events import kinds
from ssechat.http.contract import problems
from ssechat.http.contract.answers.people import Me, Profile, User, UserList
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import USER_ID
from ssechat.http.requests import ProfileFields, UsersQuery

TOPIC = "Profiles"

ME = Operation(
    id="show_me",
    method="GET",
    path="/v1/me",
    topic=TOPIC,
    summary="Says who you are, and what is unread in all",
    answers={200: Answer("Your profile, and the sums over the conversations that are not muted.", Me)},
)

CHANGE_ME = Operation(
    id="change_me",
    method="PATCH",
    path="/v1/me",
    topic=TOPIC,
    summary="Changes your profile",
    about="What is not given stays, and null takes a field away. Your other devices get an event `profile`; others see "
    "the change when they ask next.",
    body=ProfileFields,
    answers={200: Answer("Your profile as it stands.", Profile)},
    example={"display_name": "Alice Liddell"},
    events=(kinds.PROFILE.name,),
)

SHOW_USER = Operation(
    id="show_user",
    method="GET",
    path="/v1/users/{id}",
    topic=TOPIC,
    summary="Says whether a user exists, and what it is called",
    parameters=(USER_ID,),
    answers={200: Answer("The user, as the name is spelled.", User)},
    refusals=(problems.UNKNOWN_USER,),
)

LIST_USERS = Operation(
    id="list_users",
    method="GET",
    path="/v1/users",
    topic=TOPIC,
    summary="Says what many users are called, or finds users by the first letters of their names",
    about="With `ids`, what those are called whom you see. With `prefix` it searches the directory, which is off "
    "unless the server says otherwise (`GET /v1/server`); who has blocked you is not found, nor whom you have blocked. "
    "Each way has a quota.",
    query=UsersQuery,
    answers={200: Answer("The users.", UserList)},
    refusals=(problems.DIRECTORY_OFF, problems.QUOTA_EXCEEDED),
)
