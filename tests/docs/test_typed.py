"""What a reader types or pastes into the prompt of ``python -m asyncio`` works, line by line."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

if TYPE_CHECKING:
    from tests.docs.conftest import Block, Session

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
#: The pages of the site but the one whose programs are not installed here, and the README of the
#: example, which awaits at the top level too.
SITE = sorted(path for path in ROOT.glob("docs/**/*.md") if path.name != "ecosystem.md")
TYPED = [*SITE, ROOT / "examples" / "acme-backend" / "README.md"]
#: How a traceback and a SyntaxError look.
FAILURE = ("Traceback (most recent call last)", 'File "<')


class Prompt:
    """A real terminal session of ``python -m asyncio``, typed into line by line."""

    ENV: ClassVar = {"TERM": "dumb"}

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._continues = False
        self._answer()

    def _read(self) -> bytes:
        assert select.select([self._terminal], [], [], 30)[0], "no answer"
        return os.read(self._terminal, 1 << 16)

    def _answer(self) -> str:
        """Return what is printed up to the next prompt."""
        printed = b""
        while not printed.endswith((b">>> ", b"... ")):
            printed += self._read()
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


class ModernPrompt(Prompt):
    """That of Python 3.13, which gets a block as a terminal pastes it; its plain one takes none."""

    ENV: ClassVar = {"TERM": "xterm-256color"}

    def _answer(self, end: str = ">>> ") -> str:
        raw, printed = b"", ""
        while end not in printed:
            raw += self._read()
            printed = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r", b"", raw).decode()
        return printed

    def paste(self, text: str) -> str:
        """Paste a block, and ask for a word that tells its end."""
        os.write(self._terminal, b"\x1b[200~" + text.encode() + b"\x1b[201~\r\r")
        os.write(self._terminal, b"print('end', 'of block')\r")
        return self._answer("\nend of block\n")


PROMPT = ModernPrompt if sys.version_info >= (3, 13) else Prompt


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
        env={**os.environ, **PROMPT.ENV, "PYTHONPATH": path},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield PROMPT(ours)
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


@pytest.mark.long
@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_can_be_typed(
    page: Path, prompt: Prompt, blocks_of: Callable[..., list[Block]]
) -> None:
    """Line by line, each block of a page that is no file of its own gives what the page shows."""
    check(prompt, blocks_of(page))


#: What a compiler takes, and a prompt that is typed into does not.
UNTYPABLE = [
    pytest.param("```python\nif True:\n    a = 1\n\n    b = 2\n```\n", id="blank line within"),
    pytest.param("```python\nif True:\n    a = 1\nprint(a)\n```\n", id="no blank line after"),
]
WRONG = [
    pytest.param("```python\nawait missing\n```\n", id="error"),
    pytest.param('```python\nprint(1)\n```\n\n```text title="Output"\n2\n```\n', id="other output"),
]


@pytest.mark.parametrize("text", WRONG if PROMPT is ModernPrompt else UNTYPABLE + WRONG)
def test_a_page_that_cannot_be_typed_is_noticed(
    text: str, prompt: Prompt, blocks_of: Callable[..., list[Block]]
) -> None:
    """A test that cannot fail would prove nothing."""
    with pytest.raises(AssertionError):
        check(prompt, blocks_of(Path("page.md"), text))
