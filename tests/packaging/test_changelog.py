"""Entries of the changelog, and how a release takes them up."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """What scripts/changelog.py defines."""
    return runpy.run_path(str(ROOT / "scripts" / "changelog.py"))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two members and a changelog."""
    for name, version in (("core", "0.2.0"), ("azure", "0.1.1")):
        (tmp_path / name).mkdir()
        text = f'[project]\nname = "remote-store-{name}"\nversion = "{version}"\n'
        (tmp_path / name / "pyproject.toml").write_text(text)
    (tmp_path / "changelog.d").mkdir()
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## Before\n\n- old\n")
    return tmp_path


def test_the_entries_of_this_repository(script: dict[str, Any]) -> None:
    """Each one names a member and a kind, and says something."""
    assert script["UNRELEASED"] in (ROOT / "CHANGELOG.md").read_text()
    script["section"](ROOT)


def test_a_release(script: dict[str, Any], repository: Path) -> None:
    """By kind and distribution, each with its version; the files are gone, old text stays."""
    for name, text in {
        "remote-store-core.fixed.b": "Second.\n",
        "remote-store-core.fixed.a": "First,\nof two lines.\n",
        "remote-store-azure.fixed.a": "Third.",
        "remote-store-core.added.z": "New.",
    }.items():
        (repository / "changelog.d" / f"{name}.md").write_text(text)

    script["release"](repository, "2026-12-24")

    assert (repository / "CHANGELOG.md").read_text() == (
        "# Changelog\n\n## [Unreleased]\n\n## 2026-12-24\n\n"
        "### Added\n\n- `remote-store-core` 0.2.0:\n  - New.\n\n"
        "### Fixed\n\n- `remote-store-azure` 0.1.1:\n  - Third.\n"
        "- `remote-store-core` 0.2.0:\n  - First,\n    of two lines.\n  - Second.\n\n"
        "## Before\n\n- old\n"
    )
    assert not list((repository / "changelog.d").iterdir())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core.fixed.a", "x"),
        ("remote-store-core.repaired.a", "x"),
        ("remote-store-core.fixed", "x"),
        ("remote-store-core", "x"),
        ("remote-store-core.fixed.a", " \n"),
    ],
)
def test_a_wrong_entry(script: dict[str, Any], repository: Path, name: str, text: str) -> None:
    """It is named, and nothing is changed."""
    (repository / "changelog.d" / f"{name}.md").write_text(text)
    before = (repository / "CHANGELOG.md").read_text()
    with pytest.raises(SystemExit, match=name):
        script["release"](repository, "2026-12-24")
    assert (repository / "CHANGELOG.md").read_text() == before


@pytest.mark.parametrize("day", ["--help", "24.12.2026", ""])
def test_what_is_no_day(script: dict[str, Any], repository: Path, day: str) -> None:
    """Nothing is written under a heading that is none."""
    before = (repository / "CHANGELOG.md").read_text()
    with pytest.raises(SystemExit, match="is no day"):
        script["release"](repository, day)
    assert (repository / "CHANGELOG.md").read_text() == before
