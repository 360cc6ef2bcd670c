"""
Plans carried out by a real Dask cluster of processes, one of which is killed.

The library is installed from the package index into an environment of its
own, which finds everything else where these tests run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has what the extra ``dask`` brings."""
    project = tomllib.loads((ROOT / "remote_store_transfer/pyproject.toml").read_text())["project"]
    folder = tmp_path_factory.mktemp("dask")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    ours = sysconfig.get_path("purelib")
    (place,) = (folder / "lib").glob("python*/site-packages")
    (place / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *project["optional-dependencies"]["dask"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"the index gives no Dask: {done.stderr.strip()[-300:]}"
    return python


def on_a_cluster(python: Path, scenario: str, folder: Path, files: int) -> dict[str, Any]:
    script = Path(__file__).parent / "clients" / "on_a_cluster.py"
    done = subprocess.run(
        [str(python), "-P", str(script), scenario, str(folder), str(files)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("files", [2_000, 50_000])
def test_a_worker_is_killed(python: Path, tmp_path: Path, files: int) -> None:
    """All files arrive, each is counted once, and progress is the sum."""
    found = on_a_cluster(python, "local", tmp_path, files)

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


def test_secrets_are_the_workers(python: Path, tmp_path: Path) -> None:
    """An account whose connection string is in the environment of the workers alone."""
    found = on_a_cluster(python, "azure", tmp_path, 600)

    assert (found["copied"], found["equal"], found["failures"]) == (600, 600, [])
    assert found["killed"]


def test_an_execution_is_given_up(python: Path, tmp_path: Path) -> None:
    """When the cancellation is delivered nothing runs any more; another run moves the rest."""
    assert on_a_cluster(python, "given_up", tmp_path, 4_000) == {
        "cancelled": True,
        "still": True,
        "part": True,
        "rest": 4_000,
        "failures": [],
    }
