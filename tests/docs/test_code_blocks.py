"""Every code block of README, docs and examples does what the page says."""

from __future__ import annotations

import json
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.docs.conftest import PAGES, ROOT

if TYPE_CHECKING:
    from tests.docs.conftest import Block, Session

#: One page needs programs that are not installed here; tests/ecosystem runs it.
OURS = [page for page in PAGES if page.name != "ecosystem.md"]

#: Languages of blocks that the tests do something with, and those that need nothing.
KNOWN = {"python", "toml", "json", "console", "sh", "text", ""}


@pytest.mark.parametrize("page", OURS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_blocks_run_and_print_what_the_page_shows(
    page: Path, session: Session, blocks_of: Callable[..., list[Block]]
) -> None:
    """Code runs as printed, from the top of the page to its end; shown output is the real one."""
    blocks = blocks_of(page)

    assert sum(block.language == "python" for block in blocks) == session.run(blocks)


def test_toml_and_json_blocks_parse(page: Path, blocks_of: Callable[..., list[Block]]) -> None:
    """Configuration can be copied out of a page."""
    for block in blocks_of(page):
        if block.language == "toml":
            assert tomllib.loads(block.text), f"{page}:{block.line}"
        if block.language == "json":
            assert json.loads(block.text), f"{page}:{block.line}"


def test_every_block_says_what_it_is(page: Path, blocks_of: Callable[..., list[Block]]) -> None:
    """A misspelt language would keep a block from being run."""
    for block in blocks_of(page):
        assert block.language in KNOWN, f"{page}:{block.line}"


def test_shell_lines_can_be_pasted(page: Path, blocks_of: Callable[..., list[Block]]) -> None:
    """Commands quote what a shell would expand, the brackets of extras for instance."""
    for block in blocks_of(page):
        if block.language == "console":
            for line in block.text.splitlines():
                if line.startswith("$ "):
                    assert shlex.split(line, comments=True), f"{page}:{block.line}"
                    bare = shlex.split(line, comments=True, posix=False)
                    assert not [word for word in bare if word[0] not in "'\"" and "[" in word]


def test_scripts_parse(page: Path, blocks_of: Callable[..., list[Block]]) -> None:
    """A script that a page shows is one."""
    for block in blocks_of(page):
        if block.language == "sh":
            checked = subprocess.run(["sh", "-n"], input=block.text.encode(), capture_output=True)
            assert checked.returncode == 0, f"{page}:{block.line}: {checked.stderr.decode()}"


def test_the_main_pages_hold_code(blocks_of: Callable[..., list[Block]], root: Path) -> None:
    """The search for blocks finds them: the pages that are full of code are not empty to it."""
    for name in ("README.md", "docs/tutorial.md", "docs/writing-a-backend.md"):
        assert any(block.language == "python" for block in blocks_of(root / name)), name


@pytest.mark.parametrize(
    "text",
    [
        '```python\nprint(1)\n```\n\n```text title="Output"\n2\n```\n',
        '```text title="Output"\n2\n```\n',
        "```python\nraise SystemError\n```\n",
        "```python\nawait missing\n```\n",
    ],
    ids=["other output", "output of nothing", "error", "error after await"],
)
def test_a_wrong_page_is_noticed(
    text: str, session: Session, blocks_of: Callable[..., list[Block]]
) -> None:
    """What a page claims wrongly fails."""
    with pytest.raises((AssertionError, SystemError, NameError)):
        session.run(blocks_of(Path("page.md"), text))
