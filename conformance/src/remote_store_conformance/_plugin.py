"""
The pytest front-end: ``pytest --conform NAME`` turns clauses into test items.

Every pytest run of an environment with this kit imports this module, so it
imports nothing but pytest until it is asked for something. What a clause's
result is, the engine alone decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from remote_store_conformance.front.sessions import Sessions
    from remote_store_conformance.results.result import Result

__all__ = ["contract_tests"]

_HERE = Path(__file__)
_SESSIONS: pytest.StashKey[Sessions] = pytest.StashKey()

#: Statuses that are no test outcome: pytest shows them as skips, with the reason.
_SKIPS = {"unclaimed", "inapplicable", "untested", "unverified", "upcoming"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; they mean what those of the command line mean."""
    group = parser.getgroup("conformance", "conformance of storage backends")
    group.addoption(
        "--conform",
        action="append",
        default=[],
        metavar="NAME",
        help="check a target, or all targets of a plugin; repeatable",
    )
    group.addoption("--conform-clause", action="append", default=[], metavar="PATTERN")
    group.addoption("--conform-option", action="append", default=[], metavar="NAME=VALUE")
    group.addoption("--conform-waivers", type=Path, metavar="FILE")
    group.addoption("--conform-seed", type=int, default=0)
    group.addoption("--conform-budget", type=float, metavar="SECONDS")
    group.addoption("--conform-patience", type=float, default=2.0, metavar="SECONDS")
    group.addoption("--conform-strict", action="store_true", help="what is unverified fails")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and let our items appear as those of one more file."""
    config.addinivalue_line("markers", "clause(id): the clause of the contract that is checked")
    # Items that were added after the collection would break pytest's counts
    # and the names in JUnit reports; a file to collect them from must exist.
    if config.getoption("conform") and str(_HERE) not in config.args:
        config.args.append(str(_HERE))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of our items for the file that stands for them."""
    if file_path != _HERE or not parent.config.getoption("conform"):
        return None
    return ClauseFile.from_parent(parent, path=file_path, nodeid="conformance")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the targets."""
    if _SESSIONS in config.stash:
        config.stash[_SESSIONS].close()


def _sessions(config: pytest.Config) -> Sessions:
    if _SESSIONS not in config.stash:
        from remote_store_conformance.front.sessions import Sessions

        # Conftests and vendors' pytest plugins may implement our hooks, too.
        plugins = [
            (name, plugin)
            for name, plugin in config.pluginmanager.list_name_plugin()
            if plugin is not None and any(n.startswith("conformance_") for n in dir(plugin))
        ]
        config.stash[_SESSIONS] = Sessions(config.option, plugins)
    return config.stash[_SESSIONS]


class ClauseFile(pytest.File):
    """The file that does not exist: one item for each clause and target."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the items."""
        from remote_store_conformance.results.waivers import UsageError

        names = self.config.getoption("conform")
        try:
            pairs = _sessions(self.config).pairs(names)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None
        for target, clause in pairs:
            yield ClauseItem.from_parent(
                self, name=f"{clause}[{target}]", target=target, clause=clause
            )


class ClauseItem(pytest.Item):
    """One clause on one target."""

    def __init__(self, *, target: str, clause: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._target = target
        self._clause = clause
        self.add_marker(pytest.mark.clause(clause))
        self.extra_keyword_matches |= {clause, clause.partition("-")[0], target}

    def runtest(self) -> None:
        """Run the clause."""
        result = _sessions(self.config).run(self._target, self._clause)
        self.user_properties += [
            ("clause", self._clause),
            ("target", self._target),
            ("status", result.status.value),
        ]
        _settle(result, strict=self.config.getoption("conform_strict"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> str:
        """Return what the clause says, without a traceback through the kit."""
        if isinstance(excinfo.value, _Broken):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, *args))

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return where the item comes from, and its name."""
        return self.path, None, f"conformance::{self.name}"


class _Broken(Exception):
    """Carries a result that fails an item."""


def _settle(result: Result, *, strict: bool) -> None:
    """Turn a result into the outcome of an item."""
    status = result.status.value
    if result.blocks or status == "error" or (strict and result.open):
        raise _Broken(_text(result))
    if status == "waived":
        pytest.xfail(f"{status}: {result.waiver}")
    if status in _SKIPS:
        pytest.skip(f"{status}: {result.message}")
    if status in ("fail", "stale-waiver"):
        # Not binding: a warning on the command line as well.
        pytest.xfail(f"warning: {result.message}")


def _text(result: Result) -> str:
    from remote_store_conformance.report.terminal import outcome_text

    return outcome_text(result)


def contract_tests(*names: str) -> Callable[..., None]:
    """
    Return a test function that checks targets, one item for each clause.

    For those who want to see the checks in a test file:

        test_contract = contract_tests("azure:azurite")

    Args:
        names: Targets, or plugins for all of their targets.
    """

    def test_contract(conformance_case: tuple[str, str], request: pytest.FixtureRequest) -> None:
        target, clause = conformance_case
        result = _sessions(request.config).run(target, clause)
        for name, value in (("clause", clause), ("status", result.status.value)):
            request.node.user_properties.append((name, value))
        strict = request.config.getoption("conform_strict")
        try:
            _settle(result, strict=strict)
        except _Broken as broken:
            pytest.fail(str(broken), pytrace=False)

    test_contract.conformance_targets = names  # type: ignore[attr-defined]
    return test_contract


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `contract_tests` its clauses."""
    names = getattr(metafunc.function, "conformance_targets", None)
    if names is None or "conformance_case" not in metafunc.fixturenames:
        return
    pairs = _sessions(metafunc.config).pairs(names)
    ids = [f"{clause}-{target}" for target, clause in pairs]
    metafunc.parametrize("conformance_case", pairs, ids=ids)
