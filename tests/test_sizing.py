"""`ssechat size`: what a plan needs, from figures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ssechat.cli import main as cli
from ssechat.errors import SettingsError
from ssechat.sizing.figures import MEASURED, Figures, read_figures
from ssechat.sizing.plan import GIB, Plan, amount, size

FIGURES = Figures(
    at="2026-01-02T03:04:05+00:00", machine="two cores", command="a benchmark", version="1",
    stream_bytes=2000, kernel_bytes=3000, idle_microseconds=2, worker_microseconds=100, redis_microseconds=50,
    message_bytes=1000, entry_bytes=100, user_bytes=500, send_wire_bytes=1000, event_wire_bytes=400, ping_wire_bytes=5,
)  # fmt: skip
PLAN = Plan(
    monthly_users=8_640_000, online=0.1, messages=10, people=4, retention=10, peak=2, devices=1,
    cores=8, memory_gib=16, load=0.5, replicas=1,
)  # fmt: skip


def test_a_plan_becomes_streams_messages_machines_memory_and_bandwidth() -> None:
    found = size(PLAN, FIGURES)
    assert found.streams == pytest.approx(864_000)
    assert found.sends_a_second == pytest.approx(2000)
    assert found.deliveries_a_second == pytest.approx(8000)
    assert found.worker_memory == pytest.approx(864_000 * 5000)
    # 1.728 cores of silence and 0.8 of messages, at half of each core.
    assert found.workers == 6
    assert found.worker_machines == found.stream_machines == 1
    assert found.textbook_machines == 9
    # 864 million messages of 1,200 bytes, and the users.
    assert found.redis_memory == pytest.approx(864e6 * 1200 + 8_640_000 * 500)
    assert found.redis_nodes == -(-found.redis_memory // (8 * GIB)) == 122
    assert found.redis_machines == 244
    assert found.bits_a_second == pytest.approx(8 * (2000 * 1000 + 8000 * 400 + 864_000 * 5))


def test_without_retention_redis_is_sized_by_its_cpu_and_nodes_share_machines() -> None:
    found = size(replace(PLAN, retention=0, messages=1000), FIGURES)
    # 200,000 sends a second are 800,000 deliveries: 40 cores, at half of each.
    assert found.redis_nodes == 80
    assert found.redis_machines == 20


def test_more_of_anything_never_needs_less() -> None:
    for name in ("monthly_users", "online", "messages", "people", "retention", "peak", "devices"):
        before, after = (size(replace(PLAN, **{name: getattr(PLAN, name) * times}), FIGURES) for times in (1, 3))
        for what in ("workers", "worker_machines", "redis_nodes", "redis_machines", "redis_memory", "bits_a_second"):
            assert getattr(after, what) >= getattr(before, what), (name, what)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (999, "B", "999 B"), (1536, "B", "1.5 KiB"), (2.5e12, "B", "2.3 TiB"), (3.8e9, "bit/s", "3.8 Gbit/s"),
        (1234567, "", "1,234,567"), (0.25, "cores", "0.25 cores"),
    ],
)  # fmt: skip
def test_amounts_are_shown_as_people_read_them(value: float, unit: str, shown: str) -> None:
    assert amount(value, unit) == shown


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.commands, ["size", *arguments])
    if isinstance(result.exception, SettingsError):
        return 2, str(result.exception)
    return result.exit_code, result.output


def test_the_defaults_are_the_textbooks_and_both_answers_are_shown() -> None:
    code, output = run()
    assert code == 0, output
    assert "500,000,000" in output
    assert "20,000,000" in output
    assert "a textbook's answer           200 (100,000 connections each)" in output
    assert "Every step" not in output
    figures = read_figures(MEASURED)
    assert figures.at[:10] in output
    assert figures.machine in output


def test_explain_shows_every_step_and_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text(FIGURES.model_dump_json())
    code, output = run("--explain", "--figures", str(file), "--monthly-users", "8640000")
    assert code == 0, output
    for step in size(PLAN, FIGURES).steps:
        assert f"  {step.name}: " in output
    for field in Figures.model_fields.values():
        assert f"  {field.description}: " in output or field.annotation is str
    assert "8,640,000 users × 4.00% online × 1 devices" in output
    assert "two cores; ssechat 1" in output


def test_json_has_the_plan_the_answer_and_the_figures() -> None:
    code, output = run("--json", "--monthly-users", "1000", "--online", "50")
    assert code == 0
    document = json.loads(output)
    assert document["plan"]["online"] == 0.5
    assert document["size"]["streams"] == 500
    assert document["figures"] == read_figures(MEASURED).model_dump()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "it is not JSON"),
        ("[" * 50_000, "it is not JSON"),
        ("{}", "at: Field required"),
        ("[]", "has no figures of a benchmark"),
        (FIGURES.model_dump_json().replace("2000.0", "-1"), "stream_bytes: Input should be greater than or equal to 0"),
        ("x" * 200_000, "is too large"),
    ],
    ids=["none", "empty", "deep", "no figures", "a list", "negative", "large"],
)
def test_a_file_that_has_no_figures_is_refused_in_a_sentence(content: str | None, says: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    if content is not None:
        file.write_text(content)
    code, output = run("--figures", str(file))
    assert code == 2
    assert says in output


@pytest.mark.parametrize("option", ["--monthly-users=0", "--online=101", "--people=0", "--load=0", "--cores=0"])
def test_a_plan_that_cannot_be_is_refused(option: str) -> None:
    code, output = run(option)
    assert code == 2
    assert "is not in the range" in output


def test_the_figures_that_come_along_say_when_where_and_how_they_were_measured() -> None:
    figures = read_figures(MEASURED)
    assert figures.at.startswith("20")
    assert "cores" in figures.machine
    assert "tests.bench verdict" in figures.command
    assert min(figures.stream_bytes, figures.worker_microseconds, figures.message_bytes, figures.event_wire_bytes) > 0
