"""
Move the entries of changelog.d/ into CHANGELOG.md, for a release.

Usage: scripts/changelog.py 2026-12-24, the day of the release; without a day it
only prints what the release would say.

An entry is a file of its own, so that no two branches change the same line:
changelog.d/DISTRIBUTION.KIND.TOPIC.md holds Markdown without a bullet.
"""

from __future__ import annotations

import sys
import textwrap
import tomllib
from datetime import date
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("added", "changed", "fixed", "removed")
UNRELEASED = "## [Unreleased]\n"


def entries(root: Path) -> list[tuple[int, str, Path]]:
    """Return kind, distribution with its version, and file of each entry, in order."""
    projects = [tomllib.loads(p.read_text())["project"] for p in root.glob("*/pyproject.toml")]
    titles = {p["name"]: f"`{p['name']}` {p['version']}" for p in projects}
    found = []
    for file in sorted((root / "changelog.d").glob("*.md")):
        distribution, _, rest = file.stem.partition(".")
        kind, _, topic = rest.partition(".")
        if distribution not in titles or kind not in KINDS or not topic:
            sys.exit(f"{file.name}: not DISTRIBUTION.{'|'.join(KINDS)}.TOPIC.md")
        if not file.read_text().strip():
            sys.exit(f"{file.name}: empty")
        found.append((KINDS.index(kind), titles[distribution], file))
    return sorted(found)


def section(root: Path) -> str:
    """Return what a release says: by kind, then by distribution."""
    lines = []
    for kind, below in groupby(entries(root), lambda entry: entry[0]):
        lines.append(f"### {KINDS[kind].title()}\n")
        for title, files in groupby(below, lambda entry: entry[1]):
            lines.append(f"- {title}:")
            for *_, file in files:
                text = textwrap.indent(file.read_text().strip(), "    ")
                lines.append(f"  - {text.strip()}")
        lines.append("")
    return "\n".join(lines)


def release(root: Path, day: str) -> None:
    """Give what is unreleased the heading of a day, as 2026-12-24, and remove the entries."""
    try:
        date.fromisoformat(day)
    except ValueError:
        sys.exit(f"{day!r} is no day: write it as 2026-12-24")
    file = root / "CHANGELOG.md"
    head, _, rest = file.read_text().partition(UNRELEASED)
    file.write_text(f"{head}{UNRELEASED}\n## {day}\n\n{section(root)}{rest}")
    for *_, entry in entries(root):
        entry.unlink()


if __name__ == "__main__":
    if days := sys.argv[1:]:
        release(ROOT, *days)
    else:
        print(section(ROOT), end="")
