"""Both front-ends, on a plugin that lives outside of this repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.conftest import path_with

from remote_store_conformance.cli import main

pytestmark = pytest.mark.slow

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-store"
version = "2.0"
dependencies = ["remote-store-core>=0.1,<0.2"]

[project.entry-points."remote_store.backends"]
acme = "acme_store:Backend"

[project.entry-points."remote_store.conformance"]
acme = "acme_store.targets:Targets"
"""

BACKEND = '''
from remote_store import Capability, CapabilitySet
from remote_store_conformance_selftest.reference import ALL, ReferenceBackend


class Backend(ReferenceBackend):
    """It says that it cannot copy, but it does, and then says that it cannot."""

    CONTRACT = "1.0"

    async def copy(self, src, dst, *, overwrite=False):
        if Capability.COPY not in self.capabilities:
            self.transfer(src, dst, overwrite=overwrite, keep=True)
        await super().copy(src, dst, overwrite=overwrite)


HONEST = ALL
LYING = CapabilitySet(ALL - {Capability.COPY})
'''

TARGETS = """
from remote_store_conformance import hookimpl
from remote_store_conformance_selftest.stand_in import StandIn

from acme_store import HONEST, LYING, Backend


class Targets:
    @hookimpl
    def conformance_targets(self, config):
        for name, declared in (("acme:honest", HONEST), ("acme:lying", LYING)):
            yield StandIn(backend=Backend, name=name, capabilities=declared, plugin="acme").make()
"""

#: Few and quick, of several statuses.
SOME = "[CP][AK][PG]-*"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed plugin that ships targets and has no test file."""
    project = tmp_path_factory.mktemp("acme")
    package = project / "acme_store"
    package.mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").write_text(BACKEND)
    (package / "targets.py").write_text(TARGETS)
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*pip, *options, str(project)], check=True)
    return site


def conform(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with the plugin installed."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "remote_store_conformance", *arguments],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=path_with(site)),
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_command_catches_a_lie_without_any_test_file(site: Path, tmp_path: Path) -> None:
    """The honest target conforms; the one that acts and then refuses does not."""
    honest = conform(site, tmp_path, "run", "acme:honest", "-k", "CAP-*", "-k", "PKG-*")
    lying = conform(site, tmp_path, "run", "acme:lying", "-k", "CAP-*")

    assert honest.returncode == 0, honest.stdout + honest.stderr
    assert "\nchecked only: PKG, CAP\nPARTLY CHECKED " in honest.stdout
    assert "acme-store 2.0" in honest.stdout
    assert lying.returncode == 1, lying.stdout + lying.stderr
    assert "FAIL CAP-006" in lying.stdout
    assert "without COPY refuses, but acted first" in lying.stdout


@pytest.mark.long
def test_pytest_and_the_command_give_the_same_verdict_clause_by_clause(
    site: Path,
    tmp_path: Path,
    run_pytest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Every clause has the same status in the JUnit report and in the JSON report."""
    command = conform(site, tmp_path, "run", "acme:lying", "--json", "r.json", "-k", SOME)
    options = ("--conform", "acme:lying", f"--conform-clause={SOME}", "--junitxml=j.xml", "-q")
    tests = run_pytest(*options, site=site)

    report = json.loads((tmp_path / "r.json").read_text())
    by_command = {e["id"]: e["status"] for e in report["clauses"]}
    by_pytest = {}
    failed = set()
    for case in ElementTree.parse(tmp_path / "j.xml").iter("testcase"):
        properties = {p.get("name"): p.get("value") for p in case.iter("property")}
        by_pytest[properties["clause"]] = properties["status"]
        if case.find("failure") is not None:
            failed.add(properties["clause"])

    assert len(by_command) >= 14
    assert by_pytest == by_command
    assert failed == {e["id"] for e in report["clauses"] if e["blocks"]} != set()
    assert (command.returncode, tests.returncode) == (1, 1), tests.stdout


@pytest.mark.long
def test_items_are_chosen_as_pytest_chooses_items(
    site: Path, run_pytest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Node ids name clause and target; -k and -m work; targets of a plugin are all checked."""
    listed = run_pytest("--conform", "acme", "-k", "CAP-011", "--collect-only", "-q", site=site)
    marked = run_pytest("--conform", "acme:honest", "-m", "not clause", site=site)

    assert "conformance::CAP-011[acme:honest]\nconformance::CAP-011[acme:lying]" in listed.stdout
    assert re.search(r"2/\d+ tests collected", listed.stdout), listed.stdout
    assert marked.returncode == 5, marked.stdout


def test_a_test_file_of_one_line_shows_the_checks(
    site: Path, tmp_path: Path, run_pytest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """contract_tests gives one item for each clause, in the vendor's own file."""
    (tmp_path / "test_acme.py").write_text(
        "from remote_store_conformance import contract_tests\n"
        'test_contract = contract_tests("acme:lying")\n'
    )
    done = run_pytest("--conform-clause=CAP-*", "-v", site=site)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_acme.py::test_contract[CAP-006-acme:lying] FAILED" in done.stdout
    assert "test_acme.py::test_contract[CAP-011-acme:lying] PASSED" in done.stdout


def test_a_conftest_may_offer_targets(
    tmp_path: Path, run_pytest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A hook in a conftest is enough, and sets no test mode of pytest-asyncio."""
    (tmp_path / "conftest.py").write_text(
        "from remote_store_conformance import hookimpl\n"
        "from remote_store_conformance_selftest.stand_in import StandIn\n"
        "@hookimpl\n"
        "def conformance_targets(config):\n"
        '    return [StandIn(name="mine").make()]\n'
    )
    done = run_pytest("--conform", "mine", "--conform-clause=CAP-011", "-v")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "conformance::CAP-011[mine] PASSED" in done.stdout


def test_pytest_never_calls_a_part_conformant(
    site: Path, tmp_path: Path, run_pytest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The hook that gets the run of a target is told which part of the contract it is."""
    (tmp_path / "conftest.py").write_text(
        "def conformance_report(run):\n"
        '    print(f"\\n{run.target}: {run.verdict.value}: {run.part}")\n'
    )
    part = run_pytest("--conform", "acme:honest", "-k", "CAP-01 or PKG", "-s", site=site)

    assert "acme:honest: PARTLY CHECKED: PKG, CAP (3 of " in part.stdout, part.stdout


def test_a_badge_of_a_part_is_refused_before_the_run(site: Path, tmp_path: Path) -> None:
    """A badge says that a backend conforms, which no selection can tell."""
    done = conform(site, tmp_path, "run", "acme:honest", "-k", "CAP-*", "--badge", "b.json")

    assert done.returncode == 2
    assert "-k chooses a part of it: CAP" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "b.json").exists()


@pytest.mark.long
def test_an_unknown_target_is_wrong_usage(
    site: Path, tmp_path: Path, run_pytest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Both front-ends name the targets that there are."""
    command = conform(site, tmp_path, "run", "nobody")
    tests = run_pytest("--conform", "nobody", site=site)

    assert command.returncode == 2
    assert "known: acme:honest, acme:lying" in command.stderr
    assert tests.returncode not in (0, 1, 5) or "no target 'nobody'" in tests.stdout
    assert "no target 'nobody'" in tests.stdout + tests.stderr


def test_exit_codes_for_wrong_usage(site: Path, tmp_path: Path) -> None:
    """A waiver of a CAP clause, an unknown clause and a backend that is not there give 2."""
    waivers = tmp_path / "w.toml"
    waivers.write_text('[[waiver]]\nclause = "CAP-006"\nreason = "we would rather not"\nlink = "x"')

    assert conform(site, tmp_path, "run", "acme", "--waivers", str(waivers)).returncode == 2
    assert conform(site, tmp_path, "run", "acme", "-k", "NOPE-*").returncode == 2
    assert conform(site, tmp_path, "run", "no-such", "--url", "no-such://x").returncode == 2


@pytest.mark.parametrize(
    "option",
    [
        *(("--budget", value) for value in ("0", "-1", "nan", "inf")),
        *(("--patience", "0"), ("--max-list", "0"), ("--consistency", "-1")),
    ],
)
def test_a_number_that_makes_no_sense_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    """With a budget of nothing, nothing would be checked, and nothing found to be wrong."""
    where = ("--url", "memory:///x", "--volatile", "--badge", str(tmp_path / "b.json"))

    assert main(["run", "memory", *where, *option]) == 2
    shown = capsys.readouterr()
    assert f"{option[0]} takes a number" in shown.err
    assert shown.out == ""
    assert not (tmp_path / "b.json").exists()


def test_pytest_refuses_such_a_number_as_well(
    run_pytest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Both front-ends say the same."""
    done = run_pytest("--conform", "memory", "--conform-budget", "0")

    assert done.returncode == 2, done.stdout
    assert "--budget takes a number above 0, got 0" in done.stdout + done.stderr


@pytest.mark.long
def test_what_is_unverified_is_an_exit_code_under_strict(site: Path, tmp_path: Path) -> None:
    """Without --strict the verdict says it, with it the exit code too."""
    run = ("run", "acme:honest", "-k", "CAP-*", "--budget", "0.0001")

    loose = conform(site, tmp_path, *run)
    assert loose.returncode == 0
    assert "INCONCLUSIVE" in loose.stdout
    assert conform(site, tmp_path, *run, "--strict").returncode == 4


def test_the_pytest_plugin_imports_only_pytest(tmp_path: Path) -> None:
    """Loading it brings neither the engine nor the core: coverage starts later."""
    code = (
        "import sys, pytest\n"
        "import remote_store_conformance._plugin\n"
        "bad = [m for m in sys.modules if m.startswith('remote_store') "
        "and m not in ('remote_store_conformance', 'remote_store_conformance._plugin')]\n"
        "assert not bad and 'hypothesis' not in sys.modules, bad\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, cwd=tmp_path)
