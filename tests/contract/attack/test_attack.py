"""Two workers answer as their own document says, whatever is asked of them; and lies in the document are found out."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from .run import PHASES, Options, Target

SEED = 7


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with Target.running(tmp_path_factory.mktemp("attack")) as running:
        yield running


@pytest.fixture(scope="module")
def document(target: Target) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{target.server.url}/openapi-3.2.json", trust_env=False).json()
    return found


def test_schemathesis_finds_nothing(target: Target, document: Mapping[str, Any], tmp_path: Path) -> None:
    code, report = target.attack(Options(SEED), tmp_path)
    assert code == 0, report
    assert "No issues found" in report
    operations = sum(map(len, document["paths"].values()))
    assert f"Tested: {operations - 1}\n" in report, report  # all but the one that the document came from
    for phase in PHASES:
        assert re.search(rf"✅ +{phase}$", report, re.MULTILINE | re.IGNORECASE), report
    guesses = re.compile("WARNING: wrong (name or )?password")
    assert [line for line in target.server.errors.splitlines() if guesses.search(line) is None] == []


def lie(document: Mapping[str, Any], *place: str, value: object) -> dict[str, Any]:
    """The document with another value at a place in it."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    node = changed
    for key in place[:-1]:
        node = node[key]
    assert node[place[-1]] != value
    node[place[-1]] = value
    return changed


SCHEMAS = ("components", "schemas")
LIES = [
    ("show_session", (*SCHEMAS, "WhoAmI", "properties", "user", "type"), "integer", "Response violates schema"),
    ("stream_events", (*SCHEMAS, "Hello", "properties", "resumed", "type"), "string", "SSE event violates schema"),
    ("issue_ticket", (*SCHEMAS, "EmptyBody", "additionalProperties"), True, "Schema-valid request rejected"),
]


@pytest.mark.parametrize(("operation", "place", "value", "told"), LIES)
def test_what_a_document_says_and_is_not_so_is_found(
    operation: str,
    place: tuple[str, ...],
    value: object,
    told: str,
    target: Target,
    document: Mapping[str, Any],
    tmp_path: Path,
) -> None:
    false = tmp_path / "openapi.json"
    false.write_text(json.dumps(lie(document, *place, value=value)))
    code, report = target.attack(Options(SEED, examples=5, only=operation), tmp_path, false)
    assert code == 1, report
    assert told in report
