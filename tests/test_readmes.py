"""The READMEs match the code: links, options, limits, codes, alerts and commands."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from serving import ROOT
from ssechat.cli.main import commands
from ssechat.redis.refusals import ADVICE
from ssechat.settings import Settings

FILES = sorted(
    path for path in (ROOT / "README.md", *ROOT.glob("*/README.md")) if not path.parent.name.startswith((".", "node"))
)
FRONT = (ROOT / "README.md").read_text()
DEPLOY = (ROOT / "deploy" / "README.md").read_text()
TESTS = (ROOT / "tests" / "README.md").read_text()
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings."""
    headings = re.findall(r"^#+ (.*)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def run(program: click.Command, *arguments: str) -> str:
    """Runs a program of this repository, in this process; returns its output."""
    done = CliRunner().invoke(program, arguments, prog_name=program.name)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def help_texts() -> str:
    return "".join(run(commands, command, "--help") for command in ("serve", "token", "send", "listen", "doctor"))


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(file: Path) -> None:
    links = [link for link in LINK.findall(CODE.sub("", file.read_text())) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        target = file.parent / path if path else file
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_the_front_page_is_a_page_and_leads_to_the_others() -> None:
    lines = FRONT.splitlines()
    assert {"deploy/README.md", "tests/README.md"} < set(LINK.findall(FRONT))
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120] == []


@pytest.mark.parametrize("text", [FRONT, DEPLOY], ids=["README.md", "deploy/README.md"])
def test_every_option_and_variable_that_is_named_is_there(text: str, help_texts: str) -> None:
    spans = re.findall(r"`([^`\n]+)`", CODE.sub("", text))
    options = {span.split()[0] for span in spans if re.match(r"--[a-z-]+( |$)", span)}
    assert options
    assert {option for option in options if f"{option} " not in help_texts} == set()
    variables = set(re.findall(r"\bSSECHAT_[A-Z_]+", text))
    assert {variable for variable in variables if variable not in help_texts} == set()


def test_the_limits_that_are_promised_are_the_defaults() -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert f"its last {defaults['inbox_limit']:,} events (`--inbox-limit`)" in FRONT
    assert defaults["slow_seconds"] == 60
    assert "takes nothing for a minute has its stream closed (`bye`, `slow`)" in FRONT
    quotas = (
        f"may try {defaults['sign_ups_per_address']} sign-ups and fail {defaults['failed_sign_ins_per_address']} "
        f"sign-ins, and the password of an account may be guessed wrong {defaults['failed_sign_ins_per_account']} times"
    )
    assert quotas in " ".join(DEPLOY.split())


def test_the_words_of_our_own_are_few_and_the_code_uses_each() -> None:
    section = (ROOT / "src" / "README.md").read_text().partition("## Words\n")[2].partition("\n## ")[0]
    named = re.findall(r"^- \*\*(.+?)\*\*: ", section, re.MULTILINE)
    words = [word for name in named for word in name.split(", ")]
    assert 10 <= len(words) <= 15
    sources = (ROOT / "src" / "ssechat").rglob("*.*")
    code = "".join(path.read_text() for path in sources if path.suffix in (".py", ".lua"))
    assert [word for word in words if word not in code] == []


def test_every_code_of_redis_that_is_shown_is_explained() -> None:
    section = DEPLOY.partition("### What Redis says")[2]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == set(ADVICE)


def test_every_alert_has_a_line_that_says_what_to_look_at() -> None:
    alerts = re.findall(r"- alert: (\w+)", (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
    assert re.findall(r"^\| `(Ssechat\w+)` \| .{20,} \|$", DEPLOY, re.MULTILINE) == alerts


def test_every_file_of_deploy_is_named() -> None:
    table = DEPLOY.partition("| file | what |")[2].partition("\n\n")[0]
    files = {path.name for path in (ROOT / "deploy").iterdir()} - {"README.md", "Dockerfile.dockerignore", ".env"}
    assert set(re.findall(r"`([^`/]+)/?`", "".join(line.split(" | ")[0] for line in table.splitlines()))) == files


def test_every_benchmark_is_named_and_every_one_that_is_named_is_there() -> None:
    from bench.commands import bench  # here, for a second that each process would take to collect the tests

    named, there = ({*re.findall(r"-m tests\.bench (\w+)", text)} for text in (TESTS, run(bench, "--help")))
    assert named == there - {"all"}
    for name in sorted(there):
        assert run(bench, name, "--help")


def test_every_fault_and_option_of_chaos_that_is_named_is_there() -> None:
    from chaos.__main__ import chaos
    from chaos.faults import LOSSY

    [named] = re.findall(r"`--faults (\w+)` \(or `(\w+)`, or `(\w+)`\)", TESTS)
    assert set(named) == set(LOSSY)
    [command] = re.findall(r"^\.venv/bin/python -m tests\.chaos (--.*)", TESTS, re.MULTILINE)
    assert run(chaos, *command.split(), "--mutation", "no-gap-rule", "--help")


def test_every_file_of_the_tests_that_is_named_is_there() -> None:
    named = set(re.findall(r"\b(?:tests/)?((?:\w+/)*\w+\.py)\b", TESTS))
    assert named > {"test_docs.py", "serving.py", "e2e/test_workers.py"}
    assert {name for name in named if not (ROOT / "tests" / name).exists()} == set()
    for name in re.findall(r"`(test_\w+)`", TESTS):
        assert any(f"def {name}(" in path.read_text() for path in (ROOT / "tests").rglob("test_*.py")), name
