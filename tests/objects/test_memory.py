"""Streams of any length need a bounded amount of memory, measured in processes of their own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from acme_objects.server import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MIB = 1 << 20
LIMIT = 24
ROOT = Path(__file__).resolve().parents[2]
#: The length that the contract prescribes, and one that shows a buffer as well.
MIBS = pytest.mark.parametrize("mib", [64, pytest.param(256, marks=pytest.mark.long)])


def peak() -> int:
    """Return the most memory that this process ever had, in MiB."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


async def stream(mib: int) -> AsyncIterator[bytes]:
    for n in range(mib * 4):
        yield n.to_bytes(4, "big") * (MIB // 16)


async def child(host: str, what: str, mib: int, concurrency: int) -> None:
    from acme_objects import AcmeObjects

    async with AcmeObjects(host, max_concurrency=concurrency) as backend:

        async def transfer(mib: int) -> None:
            key = f"{mib}"
            if what == "up":
                await backend.write(key, stream(mib))
            elif what == "gathered":
                await backend.write(key, b"".join([chunk async for chunk in stream(mib)]))
            else:
                total = 0
                async for chunk in backend.read(key):
                    total += len(chunk)
                assert total == mib * MIB

        await transfer(8)
        before = peak()
        await transfer(mib)
        sys.stdout.write(f"{peak() - before}\n")


def growth(acme: Running, what: str, mib: int, concurrency: int = 1) -> int:
    """Return by how many MiB a fresh process grows with a transfer of *mib* MiB after one of 8."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", f"import {__name__} as m; m.main()"),
            *("{}:{}".format(*acme.address), what, str(mib), str(concurrency)),
        ],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'examples' / 'acme-objects' / 'src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def main() -> None:
    host, what, mib, concurrency = sys.argv[1:]
    asyncio.run(child(host, what, int(mib), int(concurrency)))


@MIBS
def test_a_stream_needs_bounded_memory(acme: Running, mib: int) -> None:
    """An exclusive write, and a read of what it wrote."""
    assert growth(acme, "up", mib) <= LIMIT
    assert growth(acme, "down", mib) <= LIMIT


def test_the_measure_sees_content_that_is_gathered(acme: Running) -> None:
    """Else the others would prove nothing."""
    assert growth(acme, "gathered", 64) > LIMIT


def test_side_by_side_memory_is_bounded_too(acme: Running) -> None:
    """By the parts that are under way."""
    for what in ("up", "down"):
        assert growth(acme, what, 64, concurrency=3) <= LIMIT + 3 * 8
