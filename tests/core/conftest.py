"""Throw-away distributions, built and installed by the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.scripted import scripted

from remote_store import register_backend, unregister_backend

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{dist}"
version = "{version}"

{entry_points}
[tool.hatch.build.targets.wheel]
packages = ["{module}"]
"""


def _built(
    folder: Path,
    dist: str,
    module: str,
    source: str,
    entry_points: dict[str, dict[str, str]],
    version: str,
) -> Path:
    project, site = folder / "project", folder / "site"
    (project / module).mkdir(parents=True)
    (project / module / "__init__.py").write_text(source)
    tables = "".join(
        f'[project.entry-points."{group}"]\n'
        + "".join(f'{name} = "{value}"\n' for name, value in entries.items())
        + "\n"
        for group, entries in entry_points.items()
    )
    (project / "pyproject.toml").write_text(
        PYPROJECT.format(dist=dist, version=version, entry_points=tables, module=module)
    )
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = ["install", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, *install, "--target", str(site), str(project)], check=True)
    return site


@pytest.fixture(scope="session")
def built() -> dict[str, Path]:
    """The folders that distributions were installed into, by what they were built from."""
    return {}


@pytest.fixture
def install(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, built: dict[str, Path]
) -> Callable[..., Path]:
    """
    Return a function that installs a distribution, which it builds unless it did so before.

    It returns the folder that holds everything installed in this test, to be
    put on a child's PYTHONPATH.
    """
    site = tmp_path / "site"
    site.mkdir()

    def build(
        dist: str,
        module: str,
        source: str,
        entry_points: dict[str, dict[str, str]],
        version: str = "1.2.3",
    ) -> Path:
        key = repr((dist, module, source, entry_points, version))
        if key not in built:
            built[key] = _built(
                tmp_path_factory.mktemp("built"), dist, module, source, entry_points, version
            )
        shutil.copytree(built[key], site, dirs_exist_ok=True)
        return site

    return build


@pytest.fixture
def lay(tmp_path: Path) -> Callable[..., Path]:
    """
    Return a function that lays out an installed distribution by hand, however unsound.

    It returns the folder that holds them all, to be put on a child's PYTHONPATH.
    """
    site = tmp_path / "laid"
    site.mkdir()

    def write(
        dist: str, entry_points: str | bytes, *, metadata: str | None = None, **modules: str
    ) -> Path:
        info = site / f"{dist.replace('-', '_')}-1.2.3.dist-info"
        info.mkdir()
        if metadata is None:
            metadata = f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2.3\n"
        (info / "METADATA").write_text(metadata)
        raw = entry_points.encode() if isinstance(entry_points, str) else entry_points
        (info / "entry_points.txt").write_bytes(raw)
        for module, source in modules.items():
            (site / f"{module}.py").write_text(source)
        return site

    return write


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs code in a fresh interpreter and returns what it printed."""

    def run(code: str, *, site: Path | None = None, **environment: str) -> str:
        env = dict(os.environ, **environment)
        if site is not None:
            env["PYTHONPATH"] = str(site)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def backend() -> Iterator[Any]:
    """A scripted backend class that serves the name ``scripted``."""
    cls = scripted()
    register_backend("scripted", cls)
    yield cls
    unregister_backend("scripted")
