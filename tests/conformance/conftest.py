"""What the tests of the kit share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

from remote_store import Capability
from remote_store_conformance.contract.clause import Clause
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.engine.session import Session
from remote_store_conformance.results.result import Result
from remote_store_conformance_selftest.stand_in import StandIn


def clause_of(
    check: Callable[[Trial], Awaitable[None] | None] | None,
    *,
    level: Level = Level.MUST,
    requires: Iterable[Capability] = (),
    needs: Iterable[Need] = (),
    only: Iterable[Trait] = (),
    **fields: Any,
) -> Clause:
    """Return a clause that no registry knows."""
    return Clause(
        id="WRITE-999",
        text="It holds.",
        intent="For a test.",
        check=check,
        level=level,
        requires=frozenset(requires),
        needs=frozenset(needs),
        only=frozenset(only),
        **fields,
    )


def path_with(site: Path) -> str:
    """Return a PYTHONPATH that also leads to what is installed in *site*."""
    return os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(site)]))


def run_one(clause: Clause, stand_in: StandIn | None = None, **fields: Any) -> Result:
    """Return what becomes of one clause on a stand-in."""
    with (stand_in or StandIn()).offered() as target, Session(target, **fields) as session:
        return session.run(clause)


@pytest.fixture(scope="session", autouse=True)
def trace_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Under coverage, trace the processes of the kit as well: most of its checks run in them."""
    traced = coverage.Coverage.current()
    if traced is None:
        yield
        return
    # Beside the data of this process, where they are combined.
    data = Path(traced.config.data_file or ".coverage").absolute().with_name(".coverage")
    settings = tmp_path_factory.mktemp("coverage") / "coveragerc"
    settings.write_text(
        "[run]\nbranch = true\nparallel = true\nsource_pkgs = remote_store_conformance\n"
        f"data_file = {data}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVERAGE_PROCESS_START", str(settings))
        yield


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs pytest in an empty folder, with the kit's plugin."""

    def run(*arguments: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
        return run_command("-m", "pytest", "-p", "no:cacheprovider", *arguments, site=site)

    def run_command(*command: str, site: Path | None) -> subprocess.CompletedProcess[str]:
        env = dict(os.environ)
        if site is not None:
            env["PYTHONPATH"] = path_with(site)
        return subprocess.run(
            [sys.executable, "-P", *command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
