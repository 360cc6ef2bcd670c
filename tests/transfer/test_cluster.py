"""
Plans carried out by a real Dask cluster of processes, one of which is killed.

`make ecosystem` runs them, in the environment that has the library.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]


def on_a_cluster(scenario: str, folder: Path, files: int) -> dict[str, Any]:
    script = Path(__file__).parent / "clients" / "on_a_cluster.py"
    done = subprocess.run(
        [sys.executable, "-P", str(script), scenario, str(folder), str(files)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("files", [2_000, 50_000])
def test_a_worker_is_killed(tmp_path: Path, files: int) -> None:
    """All files arrive, each is counted once, and progress is the sum."""
    found = on_a_cluster("local", tmp_path, files)

    assert found.pop("seconds") < 300
    assert found.pop("steps") >= 5
    assert found == {
        "copied": files,
        "failures": [],
        "killed": True,
        "done": True,
        "grows": True,
        "stray": 0,
    }


def test_secrets_are_the_workers(tmp_path: Path) -> None:
    """An account whose connection string is in the environment of the workers alone."""
    found = on_a_cluster("azure", tmp_path, 600)

    assert (found["copied"], found["equal"], found["failures"]) == (600, 600, [])
    assert found["killed"]


def test_workers_see_another_source(tmp_path: Path) -> None:
    """Each of its files is a failure, and none arrives."""
    found = on_a_cluster("other_source", tmp_path, 300)

    assert found == {"copied": 0, "failed": 300, "arrived": 0}


def test_an_execution_is_given_up(tmp_path: Path) -> None:
    """When the cancellation is delivered nothing runs any more; another run moves the rest."""
    assert on_a_cluster("given_up", tmp_path, 4_000) == {
        "cancelled": True,
        "still": True,
        "part": True,
        "rest": 4_000,
        "failures": [],
    }
