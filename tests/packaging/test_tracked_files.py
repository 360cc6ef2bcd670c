"""What must be in no file of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "address of a package index": re.compile(
        r"//(?:[\w.-]+\.)?(?:py" + r"pi\.org|python" + r"hosted\.org|npm" + r"js\.(?:org|com))"
        r"|//[^\s\"'<>]+/simple/?(?=[\s\"'<>]|$)"
        r"|index-" + r"url\s*=|--(?:extra-)?index-" + r"url\b",
        re.MULTILINE,
    ),
    "absolute path of somebody's machine": re.compile(
        r"(?<![\w.:}])(?:/ro" + r"ot/\.|/ho" + r"me/\w|/Us" + r"ers/\w|/wo" + r"rk/(?:main|shared))"
        r"|[A-Z]:\\Us" + r"ers\\"
    ),
}


def files_of_the_repository() -> list[Path]:
    """Return what is committed or about to be; outside a git checkout, all but hidden folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    else:
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])
        ]
    return [path for path in paths if path.is_file()]


def findings(text: str) -> list[str]:
    """Return what is forbidden in a text."""
    return [f"{kind}: {m[0]}" for kind, wanted in FORBIDDEN.items() for m in wanted.finditer(text)]


@pytest.mark.parametrize(
    "text",
    [
        "see https://py" + "pi.org/project/x",
        "https://files.python" + "hosted.org/a.whl",
        "http://10.0.0.1/sim" + "ple/",
        "extra-index-" + "url = x",
        "pip install --index-" + "url http://x",
        "/ho" + "me/ann/x",
        "cd /wo" + "rk/main",
        "C:\\Us" + "ers\\ann",
    ],
)
def test_the_search_finds_what_it_is_for(text: str) -> None:
    """The patterns match; a search that cannot find would prove nothing."""
    assert len(findings(text)) == 1


@pytest.mark.parametrize("text", ["https://example.org/docs", "local:///srv/data", "a simple text"])
def test_the_search_lets_ordinary_text_pass(text: str) -> None:
    """Links and storage addresses are no package index and nobody's home."""
    assert findings(text) == []


def test_no_file_names_a_package_index_or_a_home_folder() -> None:
    """A clone works on another machine and against another index."""
    files = files_of_the_repository()
    assert Path(__file__).resolve() in files
    found = {}
    for path in files:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # no text
        if what := findings(text):
            found[path.relative_to(ROOT).as_posix()] = what

    assert found == {}
