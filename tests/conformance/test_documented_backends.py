"""The backends that others take as a template keep the contract: acme, and that of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conformance.conftest import path_with

from remote_store_conformance.contract.kinds import FAMILIES

ROOT = Path(__file__).parents[2]

#: All but LAZY-003, for which thousands of files are put there one by one.
CLAUSES = [f"{family}-*" for family in FAMILIES if family != "LAZY"]
CLAUSES += ["LAZY-001", "LAZY-002", "LAZY-004"]

pytestmark = [pytest.mark.slow, pytest.mark.no_cover, pytest.mark.timeout(300)]


def install(project: Path, site: Path) -> None:
    pip = (sys.executable, "-P", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
    command = (*pip, "--no-build-isolation", "--target", site, project)
    subprocess.run(command, check=True, cwd=site.parent)


def conform(site: Path, *arguments: str, clauses: list[str] = CLAUSES) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "remote_store_conformance", "run", *arguments]
    for clause in clauses:
        command += ["-k", clause]
    done = subprocess.run(
        command,
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": path_with(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["acme-backend", "acme-objects"])
def test_the_template_is_conformant(name: str, tmp_path: Path) -> None:
    """The target that each of them ships: no failure, no waiver, and nothing unverified."""
    install(ROOT / "examples" / name, tmp_path / "site")
    code, printed = conform(tmp_path / "site", name.removesuffix("-backend"), "--strict")

    assert code == 0, printed
    assert "\nPARTLY CHECKED " in printed


@pytest.mark.long
def test_a_store_that_refuses_shared_names_can_be_described_on_the_command_line(
    tmp_path: Path,
) -> None:
    """Without it, no description fits a store of prefixes where no file has a folder's name."""
    install(ROOT / "examples" / "acme-backend", tmp_path / "site")
    described = ["acme", "--url", "acme:///", "--option", "database=a.db"]
    described += ["--environment", "local", "--flat"]
    some = ["WRITE-00[56]", "WRITE-011", "INFO-009", "DEL-004", "MODEL-001"]
    exclusive, printed = conform(tmp_path / "site", *described, "--exclusive-names", clauses=some)
    shared, _ = conform(tmp_path / "site", *described, clauses=["WRITE-011"])

    assert exclusive == 0, printed
    assert shared == 1


@pytest.mark.long
def test_the_backend_of_the_page_is_conformant(tmp_path: Path) -> None:
    """Made into a distribution as the page says, it passes with the target of the page."""
    page = (ROOT / "docs" / "writing-a-backend.md").read_text(encoding="utf-8")
    titled = re.findall(r'^```python title="(\S+)"\n(.*?)^```$', page, re.M | re.S)
    texts = dict(titled)
    (pyproject,) = re.findall(r"^```toml\n(\[build-system\].*?)^```$", page, re.M | re.S)
    package = tmp_path / "acme-zip" / "src" / "acme_zip"
    package.mkdir(parents=True)
    (tmp_path / "acme-zip" / "pyproject.toml").write_text(pyproject)
    (tmp_path / "acme-zip" / "README.md").write_text("Zip archives.")
    (tmp_path / "acme-zip" / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
    (package / "__init__.py").write_text("from acme_zip._backend import ZipBackend\n")
    (package / "_backend.py").write_text(texts["zip_backend.py"])
    target = texts["zip_conformance.py"].replace("from zip_backend", "from acme_zip")
    (package / "_conformance.py").write_text(target)
    install(tmp_path / "acme-zip", tmp_path / "site")
    code, printed = conform(tmp_path / "site", "zip", "--strict")

    assert code == 0, printed
    assert "\nPARTLY CHECKED " in printed
