"""Ctrl-C and SIGTERM: nothing half is left, and the exit code says what came."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installed

pytestmark = pytest.mark.slow

#: Serves files that never end, and tells on standard output when one is being read.
SLOW = """
import asyncio, os
from remote_store import UNKNOWN_TIME, FileInfo, RemotePath
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    async def is_file(self, path):
        return path.startswith("file")

    async def is_folder(self, path):
        return not await self.is_file(path)

    async def list_files(self, path, **options):
        for i in range(20):
            yield FileInfo(RemotePath(f"{path}/file{i}"), f"file{i}", 10**9, UNKNOWN_TIME)

    async def get_file_info(self, path):
        return FileInfo(RemotePath(path), path, 10**9, UNKNOWN_TIME)

    async def read(self, path):
        while True:
            yield b"x" * 3_000_000
            os.write(1, b".")
            await asyncio.sleep(0.05)
"""


def everything_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def test_ctrl_c_in_a_copy_leaves_no_part_of_a_file(installed: Installed, tmp_path: Path) -> None:
    """Interrupted in the middle of eight files: exit 130, old content stays, no temporary file."""
    installed.add("slow-store", "slow = slow_store:Backend", slow_store=SLOW)
    out = tmp_path / "out"
    out.mkdir()
    (out / "file3").write_bytes(b"old")

    with installed.start("cp", "-r", "--overwrite", "slow:///in", str(out)) as child:
        assert child.stdout is not None
        child.stdout.read(12)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)

    assert (child.returncode, err) == (130, b"error: interrupted\n")
    assert everything_below(out) == ["file3"]
    assert (out / "file3").read_bytes() == b"old"


@pytest.mark.parametrize("deaf", [False, True])
def test_sigterm_ends_a_copy_in_good_order(
    installed: Installed, tmp_path: Path, deaf: bool
) -> None:
    """Nothing half is left, also where the process does not hear of Ctrl-C."""
    installed.add("slow-store", "slow = slow_store:Backend", slow_store=SLOW)
    out = tmp_path / "out"

    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN if deaf else signal.SIG_DFL)

    with installed.start("cp", "-r", "slow:///in", str(out), preexec_fn=ignore) as child:
        assert child.stdout is not None
        child.stdout.read(12)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=30)

    assert (child.returncode, err) == (143, b"error: terminated\n")
    assert everything_below(out) == []


def test_sigterm_outside_of_a_command_has_its_own_exit_code() -> None:
    """While arguments are read or modules imported, say: no Ctrl-C has come."""
    program = """
import signal
from remote_store_cli import _app
_app.app.command("stop")(lambda: signal.raise_signal(signal.SIGTERM))
_app.main()
"""
    child = subprocess.run(
        [sys.executable, "-c", program, "stop"],
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )

    assert 143 == child.returncode


def test_ctrl_c_while_printing(installed: Installed) -> None:
    """A command that only reads ends the same way."""
    installed.add("slow-store", "slow = slow_store:Backend", slow_store=SLOW)

    with installed.start("cat", "slow:///file1") as child:
        assert child.stdout is not None
        child.stdout.read(3_000_000)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)

    assert (child.returncode, err) == (130, b"error: interrupted\n")
