"""Targets that plugins ship: how the kit finds them, and those of our own plugins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from remote_store_conformance.cli import main
from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.choosing import choose
from remote_store_conformance.plugins.hookspecs import hookimpl
from remote_store_conformance.plugins.lookup import find_targets
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.results.result import Status
from remote_store_conformance.results.run import Verdict
from remote_store_conformance.targets.target import Target
from remote_store_conformance_selftest.installed import PackagedStandIn
from remote_store_conformance_selftest.stand_in import StandIn

OURS = ["local", "local:bridges", "local:sync", "memory", "memory:bridges", "memory:sync"]


@pytest.fixture(scope="module")
def kit() -> Kit:
    """The kit with what is installed."""
    kit = Kit()
    assert kit.load_shipped() == []
    return kit


def test_our_plugins_ship_their_targets(kit: Kit) -> None:
    """Async, sync behind a bridge, and behind both bridges."""
    assert [t.name for t in kit.targets() if t.plugin in ("memory", "local")] == OURS


@pytest.mark.long
@pytest.mark.parametrize("name", OURS)
def test_our_targets_keep_the_rules_of_writing(kit: Kit, name: str) -> None:
    """A quick part of what ``make conform`` checks as a whole."""
    (target,) = find_targets(kit, name, {})
    with Session(target, kit=kit) as session:
        run = session.run_all(choose(["CAP-*", "WRITE-00*", "INFO-*"]))

    assert run.verdict is Verdict.PARTIAL


@pytest.mark.long
@pytest.mark.parametrize("name", OURS)
def test_which_of_our_targets_copy_from_another_store(kit: Kit, name: str) -> None:
    """Folders do, in every way to them; who does not refuses. Neither has a wire."""
    (target,) = find_targets(kit, name, {})
    with Session(target, kit=kit) as session:
        run = session.run_all(choose(["ACROSS-*"]))

    kept = {r.clause.id for r in run.results if r.status is Status.PASS}
    rest = {r.status for r in run.results if r.clause.id not in kept}
    local = {f"ACROSS-{number:03}" for number in (*range(1, 8), *range(10, 15))}
    assert kept == (local if target.plugin == "local" else {"ACROSS-007", "ACROSS-013"})
    assert rest == {Status.INAPPLICABLE}


@pytest.mark.parametrize("module", ["remote_store_memory", "remote_store_local"])
def test_a_plugin_does_not_need_the_kit(module: str) -> None:
    """What it ships for the kit imports nothing of it."""
    code = f"import sys, {module}._conformance; print('remote_store_conformance' in sys.modules)"
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


class Plain:
    """Implements a hook by its name alone; what it gets makes the target."""

    def conformance_targets(self, target: Callable[..., Target]) -> Iterable[Target]:
        made = StandIn().make()
        yield target(name="plain", open=made.open)

    def conformance_something(self) -> None:
        """No hook."""

    conformance_waivers = "not a function"


class Marked:
    """Implements it with the kit's marker and the other argument."""

    @hookimpl
    def conformance_targets(self, config: Mapping[str, str]) -> Iterable[Target]:
        yield StandIn(name=config["name"]).make()


def test_a_hook_is_known_by_its_name() -> None:
    """With or without a marker, with the arguments that it wants."""
    kit = Kit()
    kit.register(Plain())
    kit.register(Marked())

    assert [t.name for t in kit.targets({"name": "marked"})] == ["marked", "plain"]


UNSHIPPED = """
import contextlib

from remote_store.backends import AsyncMemoryBackend


@contextlib.asynccontextmanager
async def opened(scratch):
    yield AsyncMemoryBackend()


def conformance_targets(target):
    yield target(name="mine:here", open=opened, plugin="memory", persistent=False)
"""


def test_targets_may_stand_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No distribution has to ship them; the process that runs the clauses takes them, too."""
    file = tmp_path / "my_targets.py"
    file.write_text(UNSHIPPED)

    assert main(["list", "--targets", "--plugin", str(file)]) == 0
    assert "mine:here" in capsys.readouterr().out
    assert main(["run", "mine:here", "-p", str(file), "-k", "CAP-011"]) == 0
    assert "mine:here" in capsys.readouterr().out
    assert main(["run", "mine:here", "-k", "CAP-011"]) == 2


def test_a_file_may_import_what_lies_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Targets share helpers with the tests beside them, also in the process of the run."""
    (tmp_path / "beside_my_targets.py").write_text(UNSHIPPED)
    file = tmp_path / "importing_targets.py"
    file.write_text("from beside_my_targets import conformance_targets\n")

    assert main(["run", "mine:here", "-p", str(file), "-k", "CAP-011"]) == 0
    assert "mine:here" in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "1 / 0", "raise SystemError"])
def test_a_file_that_cannot_be_loaded_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    """Wrong usage, and no traceback."""
    file = tmp_path / "broken.py"
    if text is not None:
        file.write_text(text)

    assert main(["run", "mine:here", "-p", str(file)]) == 2
    assert "broken.py: " in capsys.readouterr().err


@pytest.mark.long
def test_one_command_checks_several_targets(capsys: pytest.CaptureFixture[str]) -> None:
    """Each target once, in the order given."""
    assert main(["run", "memory:sync", "memory", "memory", "-k", "CAP-011"]) == 0
    heads = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "  (" in line]

    assert [h for h in heads if h.startswith("memory")] == ["memory:sync", "memory"]


def test_a_url_is_for_one_backend(capsys: pytest.CaptureFixture[str]) -> None:
    """Two names with one URL are a mistake."""
    arguments: list[Any] = ["run", "memory", "local", "--url", "memory://"]

    assert main(arguments) == 2
    assert "one name" in capsys.readouterr().err


SYNC_ONLY = """
from remote_store_memory import MemoryBackend


class Backend(MemoryBackend):
    name = "memory"

    @classmethod
    def from_url(cls, url):
        return cls(), ""
"""


@pytest.mark.long
def test_a_plugin_with_a_sync_class_alone_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """The kit puts the bridge around it, and finds its entry point in the group of sync classes."""
    stand_in = PackagedStandIn(source=SYNC_ONLY, group="remote_store.sync_backends")
    with stand_in.offered() as target:
        command = ["run", target.plugin, "--url", f"{target.plugin}:///", "--volatile"]
        code = main([*command, "-k", "PKG-00[1245]", "-k", "WRITE-00[1-3]"])

    assert code == 0, capsys.readouterr()
    assert "PARTLY CHECKED  (contract 1.1; 7 pass)" in capsys.readouterr().out
