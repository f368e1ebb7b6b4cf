"""Operations about the server itself, and its pages."""

from ssechat.http.contract import problems
from ssechat.http.contract.answers import Limits, Live, Readiness
from ssechat.http.contract.operation import Answer, Credential, Operation

TOPIC = "The server"
HTML = "text/html"

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
        503: Answer("It cannot: the body says which check failed.", Readiness),
    },
)

METRICS = Operation(
    id="show_metrics",
    method="GET",
    path="/metrics",
    topic=TOPIC,
    summary="Shows numbers for Prometheus",
    credential=Credential.NONE,
    answers={200: Answer("The metrics of all workers.", media_type="text/plain")},
    refusals=(problems.METRICS_LOCKED,),
)

PAGE = Operation(
    id="show_page",
    method="GET",
    path="/",
    topic=TOPIC,
    summary="Shows the chat in a browser",
    credential=Credential.NONE,
    answers={200: Answer("The page.", media_type=HTML)},
)

DOCS = Operation(
    id="show_docs",
    method="GET",
    path="/docs",
    topic=TOPIC,
    summary="Shows this contract to people",
    credential=Credential.NONE,
    answers={200: Answer("The page.", media_type=HTML)},
)

OPENAPI = Operation(
    id="show_openapi",
    method="GET",
    path="/openapi.json",
    topic=TOPIC,
    summary="Shows this contract to programs, as OpenAPI 3.1",
    credential=Credential.NONE,
    answers={200: Answer("The contract.", dict)},
)

OPENAPI_32 = Operation(
    id="show_openapi_3_2",
    method="GET",
    path="/openapi-3.2.json",
    topic=TOPIC,
    summary="Shows this contract to programs, as OpenAPI 3.2, which describes each event of a stream",
    credential=Credential.NONE,
    answers={200: Answer("The contract.", dict)},
)
