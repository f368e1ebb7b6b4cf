"""The contract is complete: every route, code and event is in it; and what deviates from it is found."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette

from app_client import client_to
from contract.answer import Answer
from contract.checker import Checker
from contract.codes import of_all_sources
from contract.document import closed, operations
from contract.plugin import ContractPlugin
from contract.seen import FOLDER, Seen, read
from contract.watch import Watch, install, watch
from parts import SECRET, settings
from ssechat.app import create_app
from ssechat.events import frames
from ssechat.events.kinds import KINDS
from ssechat.http.contract import problems
from ssechat.http.contract.events import EVENTS
from ssechat.http.contract.problems import Problem
from ssechat.http.exchange import Request, Response
from ssechat.http.responses import json_response
from ssechat.http.routing import RouteTable

MESSAGE = {"conversation_id": "dm:alice:bob", "seq": 1, "version": 1, "sender": "alice", "text": "hi"}
JSON = {"content-type": "application/json", "x-request-id": "r"}


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    (tmp_path / "jwt.key").write_text(SECRET)
    return create_app(settings("redis://127.0.0.1:1", data=tmp_path))


def test_every_route_has_an_operation_and_every_operation_a_route(app: Starlette) -> None:
    routes = app.state.api.table.routes
    assert {route.path for route in routes if route.operation is None} == {"/web/"}
    standing = [route.operation for route in routes if route.operation is not None]
    assert {each.id for each in standing} == {each.id for each in operations()}
    assert len(standing) == len({each.id for each in standing}) == len({(each.method, each.path) for each in standing})


def test_the_contract_has_every_code_that_is_in_the_sources_and_no_other() -> None:
    documented = [value for value in vars(problems).values() if isinstance(value, Problem)]
    assert {each.code for each in documented} == of_all_sources()
    used = {each for operation in operations() for each in operation.problems}
    assert used | {*problems.OF_CONNECTIONS, *problems.OF_PATHS} == set(documented)


def test_the_contract_has_every_event_that_there_is_and_no_other() -> None:
    names = [event.name for event in EVENTS]
    assert set(names) == frames.OF_A_STREAM | {kind.name for kind in KINDS}
    assert len(names) == len(set(names))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_the_example_of_an_event_is_one(event: Any) -> None:
    fields = {"event": event.name, "data": json.dumps(event.example)}
    if event.has_id:
        fields["id"] = "1-2"
    if event.has_retry:
        fields["retry"] = "1000"
    assert _wrong(fields) == []


@pytest.mark.parametrize("operation", [each for each in operations() if each.example], ids=lambda each: each.id)
def test_the_example_of_a_body_is_one(operation: Any) -> None:
    try:
        operation.body.model_validate_json(json.dumps(operation.example))
    except ValidationError as error:
        pytest.fail(str(error))


def ok(target: str, body: Any, method: str = "GET", status: int = 200, **headers: str) -> Answer:
    """An answer in JSON."""
    given = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Answer(method, target, status, given, body if isinstance(body, bytes) else json.dumps(body).encode())


def refused(target: str, status: int, code: str, method: str = "GET", **headers: str) -> Answer:
    """An error."""
    fields = {"type": "about:blank", "title": "x", "status": status, "code": code, "detail": "x", "request_id": "r"}
    problem = {"content_type": "application/problem+json", **headers}
    return ok(target, fields, method, status, **problem)


SESSION, ONE, PAGE, ENDED = (
    "/v1/session",
    "/v1/conversations/c/messages/1",
    "/v1/conversations/c/messages",
    "/v1/conversations/g:x",
)
UNREADABLE = {"content-type": "application/problem+json"}
TOO_LARGE = b'{"type":"about:blank","title":"x","status":431,"code":"head_too_large","detail":"x"}'

AS_PROMISED = {
    "a message": ok(ONE, MESSAGE, etag='"x"'),
    "its head": ok(ONE, b"", "HEAD", etag='"x"'),
    "no content": Answer("DELETE", ENDED, 204, {"x-request-id": "r"}, b""),
    "a refusal": refused("/v1/conversations/c", 403, "not_a_member"),
    "a path of nothing": refused("/v1/nothing", 404, "not_found"),
    "another method": refused("/v1/messages", 405, "method_not_allowed", "PUT", allow="POST"),
    "a connection's": Answer("GET", SESSION, 431, UNREADABLE, TOO_LARGE),
    "a file": Answer("GET", "/web/page.css", 200, {"content-type": "text/css"}, b"x"),
}

DEVIATIONS = {
    "an undocumented status": (ok(SESSION, {"user": "a"}, status=202), "no status 202"),
    "an undocumented code": (refused("/v1/conversations/c", 403, "ended"), "show_conversation: the code ended is not"),
    "a code that no error has": (refused(SESSION, 401, "odd", www_authenticate="Bearer"), "the code odd is not"),
    "an undocumented field": (ok(SESSION, {"user": "a", "x": 1}), "'x' was unexpected"),
    "a field that is missing": (ok(SESSION, {}), "'user' is a required property"),
    "a field of another type": (ok(SESSION, {"user": 1}), "$.user: 1 is not of type"),
    "a field in a list": (ok(PAGE, {"messages": [{**MESSAGE, "x": 1}], "has_more": False}), "$.messages[0]"),
    "a null where a field is left out": (ok(ONE, {**MESSAGE, "text": None}, etag='"x"'), "$.text: None is not of type"),
    "no JSON": (ok(SESSION, b"{"), "is not of type 'object'"),
    "another media type": (ok(SESSION, b"x", content_type="text/html"), "media type"),
    "a body where there is none": (ok(ENDED, {}, "DELETE", 204), "has a body"),
    "no ETag": (ok(ONE, MESSAGE), "has no etag"),
    "no Retry-After": (refused(SESSION, 503, "unavailable"), "has no retry-after"),
    "a Retry-After that is no number": (
        refused(SESSION, 503, "unavailable", retry_after="soon"),
        "retry-after: $: 'soon' is not of type 'integer'",
    ),
    "no request id": (
        Answer("GET", SESSION, 200, {"content-type": "application/json"}, b'{"user":"a"}'),
        "has no x-request-id",
    ),
    "a header that is not documented": (ok(SESSION, {"user": "a"}, etag='"x"'), "header etag"),
    "an operation that there is not": (ok("/v1/nothing", {}), "no operation is there"),
    "a method that there is not": (ok("/v1/messages", {}, "PUT"), "no operation is there"),
    "405 without Allow": (refused("/v1/messages", 405, "method_not_allowed", "PUT"), "has no Allow"),
    "404 where there is something": (refused(SESSION, 404, "not_found"), "no status 404"),
}


@pytest.mark.parametrize("answer", AS_PROMISED.values(), ids=AS_PROMISED)
def test_an_answer_as_the_contract_promises_it_is_no_deviation(answer: Answer) -> None:
    assert list(_checker().answer(answer, Seen())) == []


@pytest.mark.parametrize(("answer", "says"), DEVIATIONS.values(), ids=DEVIATIONS)
def test_an_answer_that_the_contract_does_not_have_is_found(answer: Answer, says: str) -> None:
    seen = Seen()
    [found] = _checker().answer(answer, seen)
    assert says in found
    assert not seen.lines - {"- 405 method_not_allowed"}, "what is wrong is not counted as seen"


EVENT_DEVIATIONS = {
    "a name that there is not": ({"event": "made_up", "data": "{}"}, "there is no event 'made_up'"),
    "a field of data": ({"event": "ping", "data": '{"id":"1-2","x":1}'}, "the event ping: $: Additional properties"),
    "no field of data": ({"event": "ping", "data": "{}"}, "'id' is a required property"),
    "an id that it shall not have": ({"event": "ping", "data": '{"id":"1-2"}', "id": "1-2"}, "'id' was unexpected"),
    "no id": ({"event": "message", "data": json.dumps(MESSAGE)}, "'id' is a required property"),
    "no retry": ({"event": "bye", "data": '{"reason":"drain"}'}, "'retry' is a required property"),
    "another reason": ({"event": "bye", "data": '{"reason":"why"}', "retry": "1"}, "$.reason: 'why' is not one of"),
    "no JSON": ({"event": "ping", "data": "{"}, "is not of type 'object'"),
    "another field of the stream": ({"event": "ping", "data": '{"id":"1-2"}', "x": "1"}, "'x' was unexpected"),
}


@pytest.mark.parametrize(("fields", "says"), EVENT_DEVIATIONS.values(), ids=EVENT_DEVIATIONS)
def test_an_event_that_the_contract_does_not_have_is_found(fields: dict[str, str], says: str) -> None:
    [found] = _wrong(fields)
    assert says in found


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_test_that_sees_a_deviation_fails_and_says_where(app: Starlette, streamed: bool) -> None:
    async def odd(_: Request) -> Response:
        return json_response({"status": "live", "odd": 1})

    own = Watch(_checker())
    uninstall = install(own)
    app.state.api.table = RouteTable(
        [
            route._replace(endpoint=odd) if route.path == "/healthz/live" else route
            for route in app.state.api.table.routes
        ]
    )
    async with client_to(app) as client:
        if streamed:
            async with client.stream("GET", "/healthz/live") as answer:
                assert own.deviations == [], "nothing was read yet"
                await answer.aread()
        else:
            await client.get("/healthz/live")
    uninstall()
    [said] = own.taken()
    assert said.startswith("GET /healthz/live 200: check_live: $: Additional properties")
    assert own.taken() == []
    assert watch().taken() == [said], "the watch of the tests has seen it, too"


def test_the_plugin_fails_a_test_for_what_it_saw_unless_it_is_of_a_made_up_server() -> None:
    phase: Iterator[None] = ContractPlugin().pytest_runtest_call()
    next(phase)
    watch().event({"event": "odd", "data": "{}"})
    with pytest.raises(pytest.fail.Exception, match="not as the contract says:\nthere is no event 'odd'"):
        next(phase)
    watch().off = True
    watch().event({"event": "odd", "data": "{}"})
    assert watch().taken() == []
    watch().off = False


def test_a_made_up_transport_is_not_watched() -> None:
    own = Watch(_checker())
    uninstall = install(own)
    answer = httpx.Response(299, headers={"x-request-id": "r"})
    with httpx.Client(transport=httpx.MockTransport(lambda _: answer)) as client:
        client.get("http://chat/v1/session")
    uninstall()
    assert own.taken() == []


def test_what_several_processes_saw_is_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "seen"))
    one, other, nothing = Seen(), Seen(), Seen()
    one.answer("sign_up", 201)
    other.answer("", 400, "malformed")
    other.event("bye", "drain")
    for each in (one, other, nothing):
        each.keep()
    assert read(tmp_path / "seen") == {"sign_up 201", "- 400 malformed", "event bye drain"}
    assert len(list((tmp_path / "seen").iterdir())) == 2
    assert read(tmp_path / "seen") <= _checker().promised


def _checker() -> Checker:
    return watch()._checker


def _wrong(fields: dict[str, str]) -> list[str]:
    return list(_checker().event(fields, Seen()))


def test_the_document_that_answers_are_held_against_is_closed() -> None:
    schemas = closed()["components"]["schemas"]
    assert schemas["Message"]["additionalProperties"] is False
