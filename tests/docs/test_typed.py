"""What a reader types or pastes into the prompt of ``python -m asyncio`` works, line by line."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.docs.conftest import Block, Session

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
#: The pages of the site, and the README of the example, which awaits at the top level too.
TYPED = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "examples" / "acme-backend" / "README.md"]
#: How a traceback and a SyntaxError look.
FAILURE = ("Traceback (most recent call last)", 'File "<')


class Prompt:
    """A real terminal session of ``python -m asyncio``, typed into line by line."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._continues = False
        self._answer()

    def _answer(self) -> str:
        """Return what is printed up to the next prompt."""
        printed = b""
        while not printed.endswith((b">>> ", b"... ")):
            assert select.select([self._terminal], [], [], 30)[0], printed.decode()
            try:
                printed += os.read(self._terminal, 1 << 16)
            except OSError as error:  # how Linux tells that the other end is closed
                raise AssertionError(printed.decode()) from error
        self._continues = printed.endswith(b"... ")
        return printed[:-4].decode().replace("\r\n", "\n")

    def enter(self, line: str) -> str:
        """Type a line; return what it prints, without its echo."""
        os.write(self._terminal, line.encode() + b"\n")
        return self._answer().partition("\n")[2]

    def paste(self, text: str) -> str:
        """Type a block, and Enter once more where Python still waits for the end of a statement."""
        printed = "".join([self.enter(line) for line in text.splitlines()])
        return printed + (self.enter("") if self._continues else "")


@pytest.fixture
def prompt(session: Session) -> Iterator[Prompt]:
    """A prompt in the empty folder of the session."""
    ours, theirs = pty.openpty()
    # Wide enough that no line is wrapped.
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 10_000, 0, 0))
    path = os.pathsep.join(sys.path[:2])  # what the fixture put there
    process = subprocess.Popen(
        [sys.executable, "-m", "asyncio"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "dumb", "PYTHON_BASIC_REPL": "1", "PYTHONPATH": path},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Prompt(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def check(prompt: Prompt, blocks: list[Block]) -> None:
    """Type the Python blocks, save those that are files, and look for what the page shows."""
    printed = ""
    for block in blocks:
        if block.title == "Output":
            # Between its lines stands what the prompt shows of its own, the values of expressions.
            lines = iter(printed.splitlines())
            missing = [line for line in block.text.splitlines() if line not in lines]
            assert not missing, f"{block.page}:{block.line}\n{printed}"
        elif block.title:
            path = Path(block.title)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language == "python":
            printed = prompt.paste(block.text)
            failed = any(sign in printed for sign in FAILURE)
            assert not failed, f"{block.page}:{block.line}\n{printed}"


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_can_be_typed(
    page: Path, prompt: Prompt, blocks_of: Callable[..., list[Block]]
) -> None:
    """Line by line, each block of a page that is no file of its own gives what the page shows."""
    check(prompt, blocks_of(page))


@pytest.mark.parametrize(
    "text",
    [
        "```python\nif True:\n    a = 1\n\n    b = 2\n```\n",
        "```python\nif True:\n    a = 1\nprint(a)\n```\n",
        "```python\nawait missing\n```\n",
        '```python\nprint(1)\n```\n\n```text title="Output"\n2\n```\n',
    ],
    ids=["blank line within", "no blank line after", "error", "other output"],
)
def test_a_page_that_cannot_be_typed_is_noticed(
    text: str, prompt: Prompt, blocks_of: Callable[..., list[Block]]
) -> None:
    """What a compiler takes and a prompt does not fails."""
    with pytest.raises(AssertionError):
        check(prompt, blocks_of(Path("page.md"), text))
