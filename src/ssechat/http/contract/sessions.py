"""Operations of one's sessions, and of the password that begins them."""

from ssechat.http.contract import problems
from ssechat.http.contract.accounts import TOPIC
from ssechat.http.contract.answers.accounts import SessionList
from ssechat.http.contract.operation import Answer, Operation
from ssechat.http.contract.parameters import SESSION
from ssechat.http.requests import PasswordChange

LIST_SESSIONS = Operation(
    id="list_sessions",
    method="GET",
    path="/v1/me/sessions",
    topic=TOPIC,
    summary="Lists your sessions",
    about="Where you are signed in with your password. Where a session was is not kept.",
    answers={200: Answer("The sessions, the newest first.", SessionList)},
)

END_SESSION = Operation(
    id="end_session",
    method="DELETE",
    path="/v1/me/sessions/{id}",
    topic=TOPIC,
    summary="Ends one of your sessions",
    about="On all workers, with its streams and tickets. Your own is as good as any: it is a sign-out.",
    parameters=(SESSION,),
    answers={204: Answer("The session has ended.")},
    always=True,
    refusals=(problems.UNKNOWN_SESSION,),
)

CHANGE_PASSWORD = Operation(
    id="change_password",
    method="PUT",
    path="/v1/me/password",
    topic=TOPIC,
    summary="Changes your password, and ends your other sessions",
    about="The session that asks goes on; all others end on all workers, with their streams and tickets. A wrong old "
    "password counts as a failed sign-in. Tokens that were minted (`ssechat token`) have no session: they are valid "
    "until they expire.",
    body=PasswordChange,
    answers={204: Answer("The password is the new one.")},
    always=True,
    refusals=(
        problems.SIGN_IN_CLOSED,
        problems.WRONG_PASSWORD,
        problems.NO_PASSWORD,
        problems.PASSWORD_CHANGED,
        problems.QUOTA_EXCEEDED,
        problems.BUSY,
    ),
    example={"old": "correct horse", "new": "battery staple"},
)
