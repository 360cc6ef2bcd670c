"""What a terminal is shown, and that nothing steers it."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installed

pytestmark = pytest.mark.slow

#: A file that takes a second.
LAZY = """
import asyncio
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    @classmethod
    async def from_url(cls, url, **options):
        backend = cls()
        await backend.write("f", b"x" * (3 << 20))
        return backend, ""

    async def read(self, path):
        for _ in range(6):
            yield b"x" * (1 << 19)
            await asyncio.sleep(0.2)
"""
REFUSING = """
from remote_store import FolderInfo, PermissionDenied
from remote_store_memory import AsyncMemoryBackend

def refused(*names):
    first, *others = [PermissionDenied("no entry", path=name, backend="bad") for name in names]
    first.others = tuple(others)
    return first

class Backend(AsyncMemoryBackend):
    @classmethod
    async def from_url(cls, url, **options):
        backend = cls()
        await backend.write("seen", b"ok")
        return backend, ""

    async def list_files(self, path, **options):
        async for file in super().list_files(path, **options):
            yield file
        raise refused("locked", "\\x1b]0;evil\\x07")

    async def get_folder_info(self, path):
        raise refused("locked")
"""


def everything_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def on_a_terminal(
    installed: Installed,
    cwd: Path,
    *args: str,
    env: dict[str, str] | None = None,
    code: int = 0,
) -> bytes:
    """Run a command whose standard error is a terminal, and return what it drew there."""
    reader, writer = pty.openpty()
    env = {"TERM": "xterm", **(env or {})}
    child = installed.start(*args, cwd=cwd, stderr=writer, stdout=subprocess.DEVNULL, env=env)
    os.close(writer)
    drawn = b""
    try:
        while piece := os.read(reader, 65536):
            drawn += piece
    except OSError:  # Linux says EIO when the last writer is gone
        pass
    os.close(reader)
    assert child.wait(timeout=30) == code, drawn
    return drawn


def test_progress_is_for_terminals(installed: Installed, tmp_path: Path) -> None:
    """On a terminal a bar with a rate is drawn; --quiet draws none."""
    installed.add("lazy-store", "lazy = lazy_store:Backend", lazy_store=LAZY)

    drawn = on_a_terminal(installed, tmp_path, "cp", "lazy:///f", "g")
    quiet = on_a_terminal(installed, tmp_path, "cp", "-q", "lazy:///f", "h")

    assert b"copying" in drawn
    assert b"0/1 files" in drawn
    assert b"/3.0 MiB" in drawn
    assert b"copied 1 file (3.0 MiB)" in drawn
    assert quiet == b""
    assert (tmp_path / "h").read_bytes() == (tmp_path / "g").read_bytes()


def test_no_color_is_respected(installed: Installed, tmp_path: Path) -> None:
    """With NO_COLOR the bar has no colour; without it it has."""
    installed.add("lazy-store", "lazy = lazy_store:Backend", lazy_store=LAZY)
    colour = b"\x1b[38;5;"

    env = {"TERM": "xterm-256color", "COLORTERM": ""}
    plain = on_a_terminal(installed, tmp_path, "cp", "lazy:///f", "g", env=env | {"NO_COLOR": "1"})
    coloured = on_a_terminal(installed, tmp_path, "cp", "lazy:///f", "h", env=env)

    assert colour not in plain
    assert colour in coloured


def test_a_dumb_terminal_gets_plain_lines(installed: Installed, tmp_path: Path) -> None:
    """Neither a bar nor an escape."""
    installed.add("lazy-store", "lazy = lazy_store:Backend", lazy_store=LAZY)

    drawn = on_a_terminal(installed, tmp_path, "cp", "lazy:///f", "g", env={"TERM": "dumb"})

    assert drawn.splitlines() == [b"copied 1 file (3.0 MiB)"]


def test_a_terminal_sees_every_failure_and_obeys_none(installed: Installed, tmp_path: Path) -> None:
    """A name steers nothing while a bar is drawn, and a folder without a sum is copied anyway."""
    installed.add("bad-store", "bad = bad_store:Backend", bad_store=REFUSING)

    drawn = on_a_terminal(installed, tmp_path, "cp", "-r", "bad:///", "out/", code=1)

    assert b"copied 1 file (2 B); 2 failed" in drawn
    assert b"%1B%5D0;evil" in drawn
    assert b"\x1b]0;evil" not in drawn
    assert everything_below(tmp_path / "out") == ["seen"]
