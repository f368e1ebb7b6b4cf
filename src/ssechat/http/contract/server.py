"""Operations about the server itself, and its pages."""

from dataclasses import replace

from ssechat.http.contract import problems
from ssechat.http.contract.answers.server import Limits, Live, Readiness
from ssechat.http.contract.operation import Answer, Credential, Operation, Parameter
from ssechat.http.contract.parameters import IF_NONE_MATCH, RETRY_AFTER, VALIDATOR

TOPIC = "The server"


def _page(id: str, path: str, summary: str, *parameters: Parameter) -> Operation:
    """A page for people."""
    return _kept(id, path, summary, Answer("The page.", media_type="text/html", headers=(VALIDATOR,)), *parameters)


def _contract(id: str, path: str, summary: str) -> Operation:
    return _kept(id, path, summary, Answer("The contract.", dict, headers=(VALIDATOR,)))


def _kept(id: str, path: str, summary: str, answer: Answer, *parameters: Parameter) -> Operation:
    """Shows what a client need not load again while it stays the same."""
    return Operation(
        id=id,
        method="GET",
        path=path,
        topic=TOPIC,
        summary=summary,
        credential=Credential.NONE,
        parameters=parameters,
        headers=(IF_NONE_MATCH,),
        answers={200: answer, 304: Answer("It is the one that `If-None-Match` names.", headers=(VALIDATOR,))},
    )


LIMITS = Operation(
    id="show_limits",
    method="GET",
    path="/v1/limits",
    topic=TOPIC,
    summary="Says what is limited, in numbers",
    credential=Credential.NONE,
    answers={200: Answer("The limits.", Limits)},
)

LIVE = Operation(
    id="check_live",
    method="GET",
    path="/healthz/live",
    topic=TOPIC,
    summary="Says whether the process answers",
    credential=Credential.NONE,
    answers={200: Answer("It does.", Live)},
)

READY = Operation(
    id="check_ready",
    method="GET",
    path="/healthz/ready",
    topic=TOPIC,
    summary="Says whether the server can serve",
    credential=Credential.NONE,
    answers={
        200: Answer("It can.", Readiness),
        503: Answer("It cannot: the body says which check failed.", Readiness, headers=(RETRY_AFTER,)),
    },
)

METRICS = Operation(
    id="show_metrics",
    method="GET",
    path="/metrics",
    topic=TOPIC,
    summary="Shows numbers for Prometheus",
    credential=Credential.NONE,
    about="A server whose metrics are off has nothing under this path.",
    answers={
        200: Answer(
            "The metrics of all workers.",
            media_type="text/plain",
            other_media_types=("application/openmetrics-text",),
        )
    },
    refusals=(problems.METRICS_LOCKED, problems.NOT_FOUND),
)

PAGE = _page("show_page", "/", "Shows the chat in a browser")

EXAMPLES = replace(
    _page("show_examples", "/examples", "Shows examples of feeds in a browser"),
    about="A server whose examples are off has nothing under this path.",
    refusals=(problems.NOT_FOUND,),
)

EXAMPLE = _page(
    "show_example",
    "/examples/{example}",
    "Shows one example of a feed in a browser",
    Parameter("example", "`prices` or `deployments`.", example="prices"),
)

DOCS = _page("show_docs", "/docs", "Shows this contract to people")

DOCS_PAGE = _page(
    "show_docs_page",
    "/docs/{page}",
    "Shows a page of this contract to people",
    Parameter("page", "A topic, or `errors`, `limits` and so on.", example="errors"),
)

DOCS_EVENT = _page(
    "show_docs_of_event",
    "/docs/events/{event}",
    "Shows what an event of the stream is, to people",
    Parameter("event", "The event's name.", example="message"),
)

OPENAPI = _contract("show_openapi", "/openapi.json", "Shows this contract to programs, as OpenAPI 3.1")

OPENAPI_32 = _contract(
    "show_openapi_3_2",
    "/openapi-3.2.json",
    "Shows this contract to programs, as OpenAPI 3.2, which describes each event of a stream",
)

OF_THE_CONTRACT = (DOCS, DOCS_PAGE, DOCS_EVENT, OPENAPI, OPENAPI_32)
"""The operations that show the contract: it has all others, and these."""
