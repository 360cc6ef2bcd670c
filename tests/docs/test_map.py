"""The map in docs/design.md shows each room, and each file that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture
def page(root: Path) -> str:
    """Return the page with the map."""
    return (root / "docs" / "design.md").read_text()


def _section(page: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one."""
    return re.split(r"^#{2,3} ", page.split(f"\n{heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def test_the_map_shows_each_room_and_no_other(page: str, root: Path) -> None:
    """Under the heading of its distribution, so that a stranger knows where to look."""
    sources = {file.parent: file.parent / "src" for file in root.glob("*/pyproject.toml")}

    there = {
        member.name: sorted(
            str(init.parent.relative_to(source)) for init in source.rglob("__init__.py")
        )
        for member, source in sources.items()
    }
    headings = re.findall(r"^### ([a-z_0-9]+)$", page, re.M)
    shown = {
        name: sorted(re.findall(r"^\| `([^`]+)` \|", _section(page, f"### {name}"), re.M))
        for name in headings
    }

    assert shown == there


def test_each_file_that_the_map_names_is_there(page: str, root: Path) -> None:
    """Whoever follows the table finds the file."""
    files = re.findall(r"\| `([^`]+)` \|$", _section(page, "### Where is ..."), re.M)

    assert len(files) >= 10
    assert [file for file in files if not (root / file).is_file()] == []


def test_each_word_is_explained_once_and_in_order(page: str) -> None:
    """A glossary in which a word stands twice gives it two meanings."""
    words = re.findall(r"^\| (\S[^|]*?) \|", _section(page, "## Words"), re.M)[1:]

    assert len(words) >= 30
    assert words == sorted(set(words), key=str.casefold)
