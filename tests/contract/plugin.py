"""Fails the test that sees something that is not in the contract."""

from collections.abc import Iterator

import pytest

from contract.watch import install, watch

MADE_UP = "made_up"
"""The marker of tests whose server has made-up routes, kinds or answers."""


class ContractPlugin:
    """Watches from the first test to the last, and keeps what was seen."""

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        self._uninstall = install(watch())

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        self._uninstall()
        watch().seen.keep()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        watch().off = item.get_closest_marker(MADE_UP) is not None
        yield
        _fail(watch().taken())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        yield
        _fail(watch().taken())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        yield
        _fail(watch().taken())


def _fail(deviations: list[str]) -> None:
    if deviations:
        rest = f"\n… and {len(deviations) - 20} more" if len(deviations) > 20 else ""
        pytest.fail("not as the contract says:\n" + "\n".join(deviations[:20]) + rest, pytrace=False)
