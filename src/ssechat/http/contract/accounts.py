"""Operations of accounts and sessions."""

from ssechat.http.contract import problems, server
from ssechat.http.contract.answers.accounts import SignedIn, WhoAmI
from ssechat.http.contract.answers.server import Server
from ssechat.http.contract.operation import Answer, Credential, Operation
from ssechat.http.contract.parameters import SET_COOKIE
from ssechat.http.requests import Credentials, NewUser

TOPIC = "Accounts"

SIGN_UP = Operation(
    id="sign_up",
    method="POST",
    path="/v1/users",
    topic=TOPIC,
    summary="Signs up, and in",
    about="Needs no credential, and brings one: a token, and a cookie for browsers.",
    credential=Credential.NONE,
    body=NewUser,
    answers={201: Answer("The new session.", SignedIn, headers=(SET_COOKIE,))},
    refusals=(
        problems.SIGN_UP_CLOSED,
        problems.NAME_TAKEN,
        problems.QUOTA_EXCEEDED,
        problems.BUSY,
        problems.UNAVAILABLE,
    ),
    example={"name": "dave", "password": "correct horse"},
)

SIGN_IN = Operation(
    id="sign_in",
    method="POST",
    path="/v1/session",
    topic=TOPIC,
    summary="Signs in",
    about="Needs no credential, and brings one: a token, and a cookie for browsers.",
    credential=Credential.NONE,
    body=Credentials,
    answers={200: Answer("The new session.", SignedIn, headers=(SET_COOKIE,))},
    refusals=(
        problems.SIGN_IN_CLOSED,
        problems.WRONG_CREDENTIALS,
        problems.QUOTA_EXCEEDED,
        problems.BUSY,
        problems.UNAVAILABLE,
    ),
    example={"name": "alice", "password": "correct horse"},
)

SHOW_SESSION = Operation(
    id="show_session",
    method="GET",
    path="/v1/session",
    topic=TOPIC,
    summary="Says who you are",
    answers={200: Answer("The user of the credential.", WhoAmI)},
)

SIGN_OUT = Operation(
    id="sign_out",
    method="DELETE",
    path="/v1/session",
    topic=TOPIC,
    summary="Signs out",
    about="Ends the session on all workers, and its streams.",
    answers={204: Answer("The session has ended.", headers=(SET_COOKIE,))},
    refusals=(problems.NO_SESSION,),
    always=True,
)

SHOW_SERVER = Operation(
    id="show_server",
    method="GET",
    path="/v1/server",
    topic=server.TOPIC,
    summary="Says the server's version, and how people sign up and in",
    credential=Credential.NONE,
    answers={200: Answer("The server.", Server)},
)
