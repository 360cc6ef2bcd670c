"""A process killed at any moment leaves the old file or the new one (ATOM-005)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from remote_store_local import AsyncLocalBackend
from remote_store_local._fs import sweep

pytestmark = pytest.mark.slow

#: Forks a victim for each line that it reads. A victim writes for ever, and keeps
#: the phase that it is in as one letter in a file.
NURSERY = """
    import asyncio, os, sys
    from remote_store_local import AsyncLocalBackend
    from remote_store_local._fs import temp_file

    root = sys.argv[1]
    board = os.open(sys.argv[2], os.O_WRONLY)

    def report(letter):
        os.pwrite(board, letter, 0)

    def phased(cls, name, before, after):
        original = getattr(cls, name)
        def call(self, *args, **kwargs):
            report(before)
            result = original(self, *args, **kwargs)
            report(after)
            return result
        setattr(cls, name, call)

    phased(temp_file.TempFile, "write", b"w", b"W")       # bytes go into the temporary file
    phased(temp_file.TempFile, "_publish", b"p", b"P")    # it gets its name

    async def stream(data):
        for start in range(0, len(data), 1 << 16):
            yield data[start:start + (1 << 16)]

    async def main(kind):
        backend = AsyncLocalBackend(root, fsync="never")
        n = 0
        while True:
            n += 1
            letter = b"ab"[n % 2:n % 2 + 1]
            data = letter * 400_000
            report(b".")
            if kind == "write":
                await backend.write("f", data, overwrite=True)
            elif kind == "write_atomic":
                await backend.write_atomic("f", stream(data * 4), overwrite=True)
            elif kind == "copy":
                await backend.copy("source" + letter.decode(), "f", overwrite=True)
            else:
                await backend.copy("source" + letter.decode(), "moving", overwrite=True)
                report(b"m")
                await backend.move("moving", "f", overwrite=True)

    for line in sys.stdin:
        report(b"?")
        pid = os.fork()
        if not pid:
            asyncio.run(main(line.strip()))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Nursery:
    """Victims at the price of a fork each."""

    def __init__(self, root: Path, board: Path) -> None:
        board.write_bytes(b"?")
        self._board = board
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(NURSERY), root, board],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def phase(self) -> str:
        """Return the phase that the victim is, or was, in."""
        return self._board.read_text()

    def kill_one(self, kind: str, delay: float, await_phase: str) -> str:
        """Start a victim, kill it *delay* seconds into a phase, and return its last phase."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(kind + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        while self.phase() not in await_phase:
            time.sleep(0.0001)
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        assert int(self._process.stdout.readline()) == -signal.SIGKILL
        return self.phase()

    def close(self) -> None:
        """End the nursery."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["write", "write_atomic", "move", "copy"])
def test_killed_writers(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """50 kills of each kind: the file is whole, the rest is litter that a sweep removes."""
    rng = random.Random(kind)
    sizes = {400_000, 1_600_000}
    for name, letter in (("f", b"a"), ("sourcea", b"a"), ("sourceb", b"b"), ("moving", b"a")):
        (root / name).write_bytes(letter * 400_000)
    phases = []
    nursery = Nursery(root, tmp_path / "board")
    try:
        for n in range(50):
            # At any moment, or aimed at the time when a temporary file is there.
            delay, phase = (rng.uniform(0, 0.02), ".wWpPm") if n % 2 else (0, "wWp")
            phases.append(nursery.kill_one(kind, delay, phase))
            for name in ("f", "moving"):
                if name == "moving" and not (root / name).exists():
                    continue  # it is "f" by now
                content = (root / name).read_bytes()
                assert len(content) in sizes
                assert content in (b"a" * len(content), b"b" * len(content))
    finally:
        nursery.close()
    others = {p.name for p in root.iterdir()} - {"f", "moving", "sourcea", "sourceb"}
    assert all(name.startswith(".~tmp.") for name in others)
    # Between the first byte and the publication, where it matters: 20 of 200 at least.
    inside = sum(phase in "wWp" for phase in phases)
    assert inside >= 6, phases
    _sweep_all(root, monkeypatch, others)


def _sweep_all(root: Path, monkeypatch: pytest.MonkeyPatch, stale: set[str]) -> None:
    import asyncio
    import fcntl

    kept = {p.name for p in root.iterdir()} - stale
    live = root / ".~tmp.live"
    with live.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        backend = AsyncLocalBackend(root)
        assert asyncio.run(backend.sweep()) == 0  # too young
        real = sweep.now
        monkeypatch.setattr(sweep, "now", lambda: real() + 25 * 3600)
        assert asyncio.run(backend.sweep()) == len(stale)
        asyncio.run(backend.aclose())
    assert {p.name for p in root.iterdir()} == kept | {".~tmp.live"}
