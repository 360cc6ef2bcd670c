"""A target in a process of its own: what it does to that process is a finding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conformance.conftest import path_with

from remote_store_conformance.clauses import find
from remote_store_conformance.engine.child import Child
from remote_store_conformance.engine.last_words import last_words
from remote_store_conformance.engine.session import Session
from remote_store_conformance.results.result import Result, Status
from remote_store_conformance.results.run import Run
from remote_store_conformance.targets.target import NotOpen
from remote_store_conformance_selftest.stand_in import StandIn

#: Each does its harm in another call, so that clauses before it have results.
BACKENDS = """
import asyncio, ctypes, os, re, sys

from remote_store_memory import AsyncMemoryBackend


class Harmful(AsyncMemoryBackend):
    name = "harmful"
    close_is_terminal = False


class ExitsZero(Harmful):
    async def write(self, *args, **kwargs):
        os._exit(0)


class ReallyExits(Harmful):
    async def write(self, *args, **kwargs):
        import posix

        posix._exit(0)


class SystemExits(Harmful):
    async def write(self, *args, **kwargs):
        raise SystemExit(0)


class Crashes(Harmful):
    async def write(self, *args, **kwargs):
        ctypes.string_at(0)


class HoldsTheInterpreter(Harmful):
    async def write(self, *args, **kwargs):
        re.match(r"(a+)+$", "a" * 45 + "b")


class NeverReturns(Harmful):
    async def write(self, *args, **kwargs):
        await asyncio.Event().wait()
"""

ENTRY_POINTS = """[remote_store.backends]
exits-zero = harmful_backends:ExitsZero
really-exits = harmful_backends:ReallyExits
system-exits = harmful_backends:SystemExits
crashes = harmful_backends:Crashes
holds-the-interpreter = harmful_backends:HoldsTheInterpreter
never-returns = harmful_backends:NeverReturns
broken-at-import = no_such_module:Backend
"""

#: One clause that makes no write, and one that does.
CLAUSES = ("CAP-011", "WRITE-013")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed distribution of backends that harm their process."""
    site = tmp_path_factory.mktemp("site")
    (site / "harmful_backends.py").write_text(BACKENDS)
    about = site / "harmful-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: harmful\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


def conform(site: Path, folder: Path, name: str, *clauses: str) -> subprocess.CompletedProcess[str]:
    """Check some clauses of one of the backends."""
    chosen = [part for clause in clauses for part in ("-k", clause)]
    where = ("--url", f"{name}:///x", "--volatile", "--environment", "in-process")
    return subprocess.run(
        [
            *(sys.executable, "-P", "-m", "remote_store_conformance", "run", name),
            *(*where, *chosen, "--json", "report.json"),
        ],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=path_with(site)),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crashes", "the process was killed by SIGSEGV"),
        *(
            pytest.param(name, words, marks=pytest.mark.long)
            for name, words in {
                "exits-zero": "the backend ended the process, or tried to",
                "system-exits": "the backend ended the process, or tried to",
                "really-exits": "the process ended by itself, with exit code 0,",
                "never-returns": "hangs: no end within",
            }.items()
        ),
    ],
)
def test_no_end_of_the_process_is_a_success(
    site: Path, tmp_path: Path, name: str, words: str
) -> None:
    """It is a finding of the clause that ran; the others have their results, and the code is 1."""
    done = conform(site, tmp_path, name, *CLAUSES)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL WRITE-013" in done.stdout
    assert words in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(e["id"], e["status"]) for e in report["clauses"]] == [
        ("CAP-011", "pass"),
        ("WRITE-013", "fail"),
    ]


def test_a_crash_says_where_it_happened(site: Path, tmp_path: Path) -> None:
    """The report holds what the process said at last: the calls that it was in, innermost first."""
    conform(site, tmp_path, "crashes", "WRITE-013")

    report = json.loads((tmp_path / "report.json").read_text())
    words = report["clauses"][0]["evidence"]["standard error"].splitlines()
    assert words[0] == "Fatal Python error: Segmentation fault"
    assert "harmful_backends.py" in words[4]
    assert len(words) < 25


def test_no_folder_is_left_behind(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a process that ends as it should, nor by one that dies."""
    places = tmp_path / "temporary"
    places.mkdir()
    monkeypatch.setenv("TMPDIR", str(places))
    conform(site, tmp_path, "crashes", *CLAUSES)

    assert list(places.iterdir()) == []


def dump(why: str, *stacks: str) -> list[str]:
    """Return the lines of a process that says something, and then dumps its stacks."""
    text = "\n\n".join([f"something before\nFatal Python error: {why}", *stacks])
    return [f"{line}\n" for line in f"{text}\n\nExtension modules: a, b (total: 2)".splitlines()]


def stack(head: str, *calls: str) -> str:
    """Return the stack of a thread, as it is dumped."""
    return "\n".join([f"{head} (most recent call first):", *calls])


DEEP = [f'  File "/x/backend.py", line {n} in deep' for n in range(100)]
WAITING = ['  File "/lib/threading.py", line 1 in join', '  File "/kit/cli.py", line 2 in main']


def test_of_a_dump_the_running_thread_is_kept() -> None:
    """Its innermost calls tell what happened; a hundred others, and other threads, hide it."""
    other = stack("Thread 0x1", '  File "/x/other.py", line 1 in run')
    crash = dump("Segmentation fault", other, stack("Current thread 0x2", *DEEP))
    words = last_words(crash).splitlines()

    assert words[:2] == ["something before", "Fatal Python error: Segmentation fault"]
    assert words[3:5] == ["Current thread 0x2 (most recent call first):", DEEP[0]]
    assert words[-2:] == ["  ... 85 more calls", "(threads beside it: 1)"]


def test_of_a_dump_the_thread_that_waits_for_another_is_not_the_culprit() -> None:
    """A signal that ends a process which hangs is handled by the thread that waits."""
    held = stack("Thread 0x1", *DEEP[:2])
    hang = dump(
        "Aborted", stack("Thread 0x3", *WAITING), held, stack("Current thread 0x2", *WAITING)
    )

    assert DEEP[0] in last_words(hang)
    assert "threading.py" not in last_words(hang)


def test_what_is_no_dump_is_kept_from_its_end() -> None:
    """An error message stands in the last lines."""
    words = last_words(f"line {n}\n" for n in range(100))

    assert words.splitlines()[0] == "line 60"
    assert words.endswith("line 99")


def test_a_target_that_does_not_open_is_explained(site: Path, tmp_path: Path) -> None:
    """The exit code is 3 or 2, and the message says what was missing."""
    done = conform(site, tmp_path, "broken-at-import", "CAP-011")

    assert done.returncode in (2, 3)
    assert "no_such_module" in done.stderr


def child_of(folder: Path, name: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let children of this process see the backends, and return the arguments of a run."""
    monkeypatch.setenv("PYTHONPATH", path_with(site))
    monkeypatch.chdir(folder)
    where = ["--url", f"{name}:///x", "--volatile", "--environment", "in-process"]
    return ["run", name, *where]


def run_child(arguments: list[str], *clauses: str, silence: float) -> tuple[Run, list[Result]]:
    """Run clauses in children that may be silent for some seconds; also what came meanwhile."""
    seen: list[Result] = []
    with StandIn().offered() as target, Session(target) as session:
        child = Child(
            f"{arguments[1]}:url",
            {"arguments": arguments},
            session,
            on_result=seen.append,
            silence=lambda deadline: silence,
        )
        return child.run([find(name) for name in clauses]), seen


@pytest.mark.long
def test_a_call_that_holds_the_interpreter_is_a_finding(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread of its process gets on, so the process is ended; the report says where it was."""
    arguments = child_of(tmp_path, "holds-the-interpreter", site, monkeypatch)
    run, seen = run_child(arguments, "WRITE-013", "CAP-011", silence=8)

    assert [r.status for r in run.results] == [Status.FAIL, Status.PASS]
    assert seen == list(run.results)
    assert "something holds the interpreter" in run.results[0].message
    assert "harmful_backends.py" in run.results[0].evidence["standard error"]


def test_a_target_that_kills_every_process_ends(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three deaths the rest is not run, and the verdict is what the deaths are."""
    arguments = child_of(tmp_path, "really-exits", site, monkeypatch)
    clauses = ("WRITE-013", "WRITE-009", "CAP-011", "WRITE-008", "CAP-010", "PATH-001")
    run, _ = run_child(arguments, *clauses, silence=60)

    assert [r.status.value for r in run.results] == [
        *("fail", "fail", "pass", "fail", "unverified", "unverified"),
    ]


def test_a_process_that_dies_at_its_start_is_explained(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said on its standard error is in the message."""
    arguments = child_of(tmp_path, "crashes", site, monkeypatch)
    (site / "sitecustomize.py").write_text("raise SystemExit('no way to start')\n")
    try:
        with pytest.raises(NotOpen, match="no way to start"):
            run_child(arguments, "CAP-011", silence=60)
    finally:
        (site / "sitecustomize.py").unlink()


@pytest.mark.long
def test_a_write_that_never_returns_costs_its_deadline_once(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hung before is waited for a fraction of the time in the clauses that follow."""
    arguments = child_of(tmp_path, "never-returns", site, monkeypatch)
    start = time.monotonic()
    # Each of them would have ten seconds and more.
    clauses = ["WRITE-013", "WRITE-001", "WRITE-004", "CANCEL-001", "CANCEL-002", "CONC-001"]
    run, _ = run_child(arguments, *clauses, silence=60)

    assert {r.status for r in run.results} == {Status.FAIL}
    later = [r.seconds for r in run.results[1:]]
    assert sum(later) < 10 * len(later) / 2
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("place", "why"),
    [("missing/report", "there is no folder"), ("", "is a folder")],
)
def test_a_report_without_a_place_is_refused_before_the_run(
    site: Path, tmp_path: Path, place: str, why: str
) -> None:
    """A missing folder, or a folder as the file, would otherwise cost the whole run."""
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "remote_store_conformance", "run", "memory"),
            *("-k", "CAP-011", "--html", str(tmp_path / place)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert f"--html: {why}" in done.stderr
    assert done.stdout == ""
