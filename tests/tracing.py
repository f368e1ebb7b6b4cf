"""Leaves out of coverage what others cover too: to trace a process takes two fifths of its CPU.

The gate (pyproject.toml) holds without these files. They run the same lines again, in other orders, behind other
programs or under load: what they check is what comes of it.
"""

import os
from collections.abc import Iterator

import pytest
from coverage import Coverage

UNTRACED = frozenset({
    "browser",
    "clients",
    "fronts",
    "test_agreement_mutants.py",
    "test_attack.py",
    "test_bench.py",
    "test_bench_feeds.py",
    "test_bench_groups.py",
    "test_bench_verdict.py",
    "test_chaos.py",
    "test_chaos_feeds.py",
    "test_chaos_groups.py",
    "test_docs_commands.py",
    "test_floods.py",
    "test_fuzz.py",
    "test_generated_clients.py",
    "test_group_outages.py",
    "test_models_groups.py",
    "test_models_hub.py",
    "test_replacing_workers.py",
    "test_rights_matrix.py",
    "test_rights_mutants.py",
    "test_rights_races.py",
    "test_run_fast.py",
    "test_storm.py",
    "test_user_floods.py",
})  # fmt: skip
"""Files and folders of tests that run without coverage, with the processes that they start."""

TRACED = frozenset({
    "browser/test_feeds.py",
    "fronts/test_doctor.py",
    "fronts/test_doctor_command.py",
    "fronts/test_doctor_elsewhere.py",
})  # fmt: skip
"""Files of these folders that alone run `ssechat doctor` as a whole, and `ssechat feed demo`."""

CHILDREN = "COVERAGE_PROCESS_CONFIG"
"""The variable by which child processes know that they are traced."""


class TracingPlugin:
    """Stops coverage before a file of `UNTRACED`, and starts it again behind it."""

    def __init__(self) -> None:
        self._stopped: Coverage | None = None
        self._children: str | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        if _untraced(item):
            self._stop()
        try:
            return (yield)
        finally:
            if nextitem is None or not _untraced(nextitem):
                self._start()

    def _stop(self) -> None:
        if self._stopped is None and (coverage := Coverage.current()) is not None:
            self._stopped = coverage
            coverage.stop()
            self._children = os.environ.pop(CHILDREN, None)

    def _start(self) -> None:
        if self._stopped is not None:
            self._stopped.start()
            self._stopped = None
            if self._children is not None:
                os.environ[CHILDREN] = self._children


def _untraced(item: pytest.Item) -> bool:
    return "/".join(item.path.parts[-2:]) not in TRACED and not UNTRACED.isdisjoint(item.path.parts)
