"""The diagnosis of an installation that another distribution has overwritten."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.packaging.conftest import Environment

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(300)]

#: What another distribution puts in the place of ours; importing it would be told.
OTHER = {
    "remote_store/__init__.py": "raise SystemError('the patient was imported')\n",
    "remote_store/backends.py": "",
    "remote_store/aio/__init__.py": "",
    "remote_store/only_theirs.py": "",
}


def wheel_of(files: dict[str, str], folder: Path) -> Path:
    """Write a wheel of a distribution ``remote-store`` with these files."""
    info = "remote_store-9.9.dist-info"
    files = files | {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: remote-store\nVersion: 9.9\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    path = folder / "remote_store-9.9-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
            lines.append(f"{name},sha256={digest.rstrip('=')},{len(text)}\n")
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "".join(lines) + f"{info}/RECORD,,\n")
    return path


def command(environment: Environment, *arguments: str) -> tuple[int, str, str]:
    """Return exit code and both outputs of the installed command."""
    script = environment.python.with_name("remote-store")
    done = subprocess.run(
        [script, *arguments], cwd=environment.folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_doctor_explains_what_another_distribution_did_to_the_core(
    dist: Path, shelf: Path, new_environment: Callable[[], Environment], tmp_path: Path
) -> None:
    """Overwritten and gone files are named without importing any, and its repair works."""
    environment = new_environment()
    places = ("--no-index", "--find-links", dist, "--find-links", shelf)
    environment.pip("install", "--quiet", *places, "remote-store-cli", "remote-store-memory")
    code, out, err = command(environment, "doctor")
    assert (code, err) == (0, ""), out

    environment.pip("install", "--quiet", "--no-index", wheel_of(OTHER, tmp_path))
    code, out, err = command(environment, "doctor")
    assert (code, err) == (3, "")
    assert "pip uninstall remote-store, then pip install --force-reinstall --no-deps" in out
    assert "3 files are overwritten of 'remote-store-core'" in out
    files = "remote_store/__init__.py, remote_store/aio/__init__.py, remote_store/backends.py;"
    assert files in out
    code, out, err = command(environment, "backends")
    assert (code, out) == (3, "")
    assert "cannot start (SystemError: the patient was imported); 'remote-store doctor'" in err
    assert 1 == err.count("\n")

    environment.pip("uninstall", "--quiet", "--yes", "remote-store")
    code, out, err = command(environment, "doctor", "--json")
    (problem,) = json.loads(out)["problems"]
    assert (code, err) == (3, "")
    assert problem.startswith("3 files are missing of 'remote-store-core': ")
    assert all(name in problem for name in list(OTHER)[:3])
    repair = problem.rpartition("; pip ")[2].split()
    assert 3 == command(environment, "ls", ".")[0]

    environment.pip(*repair, *places)
    code, out, err = command(environment, "doctor")
    assert (code, err) == (0, ""), out

    (environment.folder / "shadow" / "remote_store").mkdir(parents=True)
    (environment.folder / "shadow" / "remote_store" / "__init__.py").write_text("1 / 0\n")
    done = subprocess.run(
        [environment.python, "-m", "remote_store_cli", "doctor"],
        cwd=environment.folder / "shadow",
        capture_output=True,
        text=True,
        check=False,
    )
    assert 3 == done.returncode
    assert "import remote_store finds " in done.stdout
    assert "rename it" in done.stdout

    environment.pip("uninstall", "--quiet", "--yes", "attrs")
    code, out, err = command(environment, "doctor")
    assert (code, err) == (3, "")
    assert "the core cannot be imported: ModuleNotFoundError: No module named 'attr" in out
