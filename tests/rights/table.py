"""The answers that each must get: a line a route and case, a column a standing in the group.

`yes` is the success of the route, `no` a refusal to those who are not in the group, `role` one to those whose role
does not allow it, `none` what is said of a message that is not there or that one may not read. A dash is not asked: the
story does that, or nobody can be in that case. The last column is for members of a group that has ended: `same` as
before, or `over`: who is refused is refused as before, and who is not is told that it has ended.
"""

from typing import NamedTuple, get_args

from rights.model import Standing

WORDS: dict[str, tuple[int, str]] = {
    "yes": (200, ""),
    "made": (201, ""),
    "said": (202, ""),
    "done": (204, ""),
    "who": (401, "unauthorized"),
    "no": (403, "not_a_member"),
    "role": (403, "not_allowed"),
    "ended": (403, "ended"),
    "removed": (403, "removed"),
    "used": (403, "invite_used_up"),
    "expired": (403, "invite_expired"),
    "none": (404, "unknown_message"),
    "sess": (404, "unknown_session"),
    "conv": (404, "unknown_conversation"),
    "user": (404, "unknown_user"),
    "invite": (404, "unknown_invite"),
    "event": (404, "unknown_event"),
    "feed": (404, "unknown_feed"),
    "closed": (403, "feeds_closed"),
    "owned": (403, "not_your_feed"),
    "silent": (403, "not_a_publisher"),
    "file": (404, "not_found"),
    "taken": (409, "name_taken"),
    "gone": (409, "deleted"),
    "last": (409, "last_owner"),
    "bad": (422, "invalid_request"),
    "again": (422, "idempotency_conflict"),
}

GROUP = """
                                                    anonym strang member admin  owner  left   remov. ended
GET    /v1/conversations                            who    yes    yes    yes    yes    yes    yes    yes
POST   /v1/conversations | again                    who    yes    yes    yes    yes    yes    yes    yes
GET    /v1/conversations/{id}                       who    no     yes    yes    yes    yes    yes    yes
GET    /v1/conversations/{id} | of nobody           who    conv   conv   conv   conv   conv   conv   conv
PATCH  /v1/conversations/{id}                       who    no     role   yes    yes    no     no     over
DELETE /v1/conversations/{id}                       who    no     role   role   -      no     no     same
GET    /v1/conversations/{id}/members               who    no     yes    yes    yes    no     no     yes
POST   /v1/conversations/{id}/members               who    no     role   yes    yes    no     no     same
POST   /v1/conversations/{id}/members | oneself     who    no     role   yes    yes    no     no     same
PUT    /v1/conversations/{id}/members/{user}        who    no     role   yes    yes    no     no     same
PUT    /v1/conversations/{id}/members/{user} | role who    no     role   role   yes    no     no     same
DELETE /v1/conversations/{id}/members/{user}        who    no     role   role   last   no     no     same
POST   /v1/conversations/{id}/invites               who    no     role   made   made   no     no     over
GET    /v1/conversations/{id}/invites               who    no     role   yes    yes    no     no     same
DELETE /v1/conversations/{id}/invites/{invite}      who    no     role   done   done   no     no     same
POST   /v1/invites/join | used up                   who    used   yes    yes    yes    used   removed same
POST   /v1/invites/join | unknown                   who    invite yes    yes    yes    invite invite yes
POST   /v1/messages | again                         who    -      yes    yes    yes    yes    yes    yes
POST   /v1/messages | again, but another            who    -      again  again  again  again  again  again
POST   /v1/messages | new                           who    no     -      -      -      no     no     ended
POST   /v1/messages | reply to what is not read     who    no     bad    bad    bad    no     no     ended
POST   /v1/messages | reply to nothing              who    no     bad    bad    bad    no     no     ended
GET    /v1/conversations/{id}/messages              who    no     yes    yes    yes    yes    yes    yes
PUT    /v1/conversations/{id}/read                  who    no     yes    yes    yes    no     no     yes
PUT    /v1/conversations/{id}/mute                  who    no     yes    yes    yes    no     no     yes
POST   /v1/conversations/{id}/typing                who    no     said   said   said   no     no     over
PUT    /v1/presence | in the group                  who    no     yes    yes    yes    no     no     over
PUT    /v1/presence | in a group of nobody          who    conv   conv   conv   conv   conv   conv   conv
"""

MESSAGE = "/v1/conversations/{id}/messages/{seq}"
REACTION = f"{MESSAGE}/reactions/{{emoji}}"

MESSAGES = f"""
                                                    anonym strang member admin  owner  left   remov. ended
GET    {MESSAGE} | read                             who    -      yes    yes    yes    yes    yes    yes
GET    {MESSAGE} | not read                         who    no     none   none   none   none   none   none
GET    {MESSAGE} | nothing                          who    no     none   none   none   none   none   none
PATCH  {MESSAGE} | one's own, to what it is         who    -      yes    yes    yes    no     no     ended
PATCH  {MESSAGE} | another's                        who    -      role   role   role   no     no     ended
PATCH  {MESSAGE} | one's own, deleted               who    -      gone   gone   gone   no     no     ended
PATCH  {MESSAGE} | not read                         who    no     none   none   none   no     no     ended
PATCH  {MESSAGE} | of an earlier time               who    -      none   none   none   -      -      ended
PATCH  {MESSAGE} | nothing                          who    no     none   none   none   no     no     ended
DELETE {MESSAGE} | an owner's                       who    -      role   role   -      no     no     ended
DELETE {MESSAGE} | an admin's                       who    -      role   role   -      no     no     ended
DELETE {MESSAGE} | one's own, deleted               who    -      yes    yes    yes    no     no     ended
DELETE {MESSAGE} | not read                         who    no     none   none   none   no     no     ended
DELETE {MESSAGE} | of an earlier time               who    -      none   none   none   -      -      ended
DELETE {MESSAGE} | nothing                          who    no     none   none   none   no     no     ended
PUT    {REACTION} | there already                   who    -      yes    yes    yes    no     no     ended
PUT    {REACTION} | to a deleted message            who    -      gone   gone   gone   no     no     ended
PUT    {REACTION} | of an earlier time              who    -      none   none   none   -      -      ended
PUT    {REACTION} | not read                        who    no     none   none   none   no     no     ended
PUT    {REACTION} | nothing                         who    no     none   none   none   no     no     ended
DELETE {REACTION} | not there                       who    -      yes    yes    yes    no     no     ended
DELETE {REACTION} | of an earlier time              who    -      none   none   none   -      -      ended
DELETE {REACTION} | not read                        who    no     none   none   none   no     no     ended
GET    {MESSAGE}/reactions | read                   who    -      yes    yes    yes    yes    yes    yes
GET    {MESSAGE}/reactions | not read               who    no     none   none   none   none   none   none
GET    {MESSAGE}/reactions | nothing                who    no     none   none   none   none   none   none
"""

OTHERS = """
                                                    anonym strang member admin  owner  left   remov. ended
GET    /v1/events                                   who    yes    yes    yes    yes    yes    yes    yes
POST   /v1/tickets                                  who    made   made   made   made   made   made   made
GET    /v1/server                                   yes    yes    yes    yes    yes    yes    yes    yes
POST   /v1/users                                    taken  taken  taken  taken  taken  taken  taken  taken
GET    /v1/users                                    who    yes    yes    yes    yes    yes    yes    yes
GET    /v1/users/{user}                             who    yes    yes    yes    yes    yes    yes    yes
GET    /v1/session                                  who    yes    yes    yes    yes    yes    yes    yes
POST   /v1/session                                  -      yes    yes    yes    yes    yes    yes    yes
DELETE /v1/session                                  -      done   done   done   done   done   done   done
GET    /v1/me                                       who    yes    yes    yes    yes    yes    yes    yes
PATCH  /v1/me                                       who    yes    yes    yes    yes    yes    yes    yes
PUT    /v1/me/password                              who    bad    bad    bad    bad    bad    bad    bad
GET    /v1/me/sessions                              who    yes    yes    yes    yes    yes    yes    yes
DELETE /v1/me/sessions/{id}                         who    sess   sess   sess   sess   sess   sess   sess
GET    /v1/blocks                                   who    yes    yes    yes    yes    yes    yes    yes
PUT    /v1/blocks/{user}                            who    yes    yes    yes    yes    yes    yes    yes
PUT    /v1/blocks/{user} | oneself                  -      bad    bad    bad    bad    bad    bad    bad
PUT    /v1/blocks/{user} | nobody                   who    user   user   user   user   user   user   user
DELETE /v1/blocks/{user}                            who    done   done   done   done   done   done   done
GET    /v1/feeds/{name}                             who    no     yes    yes    yes    no     no     yes
GET    /v1/feeds/{name} | public                    yes    yes    yes    yes    yes    yes    yes    yes
GET    /v1/feeds/{name} | of nobody                 who    feed   feed   feed   feed   feed   feed   feed
PUT    /v1/feeds/{name}                             who    owned  owned  owned  owned  owned  owned  owned
PUT    /v1/feeds/{name} | new                       who    closed closed closed closed closed closed closed
DELETE /v1/feeds/{name}                             who    owned  owned  owned  owned  owned  owned  owned
POST   /v1/feeds/{name}/events                      who    silent silent silent silent silent silent silent
GET    /v1/feeds/{name}/events                      who    no     -      -      -      no     no     -
GET    /v1/feeds/{name}/events | of nobody          who    feed   feed   feed   feed   feed   feed   feed
POST   /v1/ack                                      who    event  event  event  event  event  event  event
PUT    /v1/presence                                 who    yes    yes    yes    yes    yes    yes    yes
GET    /v1/limits                                   yes    yes    yes    yes    yes    yes    yes    yes
GET    /healthz/live                                yes    yes    yes    yes    yes    yes    yes    yes
GET    /healthz/ready                               yes    yes    yes    yes    yes    yes    yes    yes
GET    /metrics                                     yes    yes    yes    yes    yes    yes    yes    yes
GET    /                                            yes    yes    yes    yes    yes    yes    yes    yes
GET    /examples                                    yes    yes    yes    yes    yes    yes    yes    yes
GET    /examples/{example}                          yes    yes    yes    yes    yes    yes    yes    yes
GET    /docs                                        yes    yes    yes    yes    yes    yes    yes    yes
GET    /docs/{page}                                 yes    yes    yes    yes    yes    yes    yes    yes
GET    /docs/events/{event}                         yes    yes    yes    yes    yes    yes    yes    yes
GET    /openapi.json                                yes    yes    yes    yes    yes    yes    yes    yes
GET    /openapi-3.2.json                            yes    yes    yes    yes    yes    yes    yes    yes
GET    /web/                                        file   file   file   file   file   file   file   file
"""


class Row(NamedTuple):
    """A line of the table."""

    method: str
    path: str
    case: str
    cells: dict[Standing, str]
    ended: str

    def word(self, standing: Standing, *, ended: bool) -> str:
        """What somebody gets; `ended`: a member of a group that has."""
        own = self.cells[standing]
        if not ended or self.ended == "same":
            return own
        if self.ended == "over":
            return "ended" if own in ("yes", "made", "said", "done") else own
        return self.ended

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}" + (f" | {self.case}" if self.case else "")


def _row(line: str) -> Row:
    standings = get_args(Standing)
    words = line.rsplit(maxsplit=len(standings) + 1)
    what, cells = words[0], words[1:]
    request, _, case = what.partition(" | ")
    method, path = request.split()
    return Row(method, path, case.strip(), dict(zip(standings, cells, strict=False)), cells[-1])


ROWS = [_row(line) for table in (GROUP, MESSAGES, OTHERS) for line in table.splitlines() if "/" in line]
