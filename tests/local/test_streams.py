"""Streamed reads, and the memory and laziness of streams in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import count_hops

from remote_store import InvalidPath, NotFound, PreconditionFailed, RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend, _list, _read

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 5])
async def test_blocks(backend: AsyncLocalBackend, root: Path, size: int) -> None:
    """READ-001, 002, 006, 010: equal bytes in blocks of at most 2 MiB, none of them empty."""
    data = os.urandom(size)
    (root / "f").write_bytes(data)
    parts = [part async for part in backend.read("f")]
    assert b"".join(parts) == data == await backend.read_bytes("f")
    assert all(0 < len(part) <= (2 << 20) for part in parts)


async def test_errors_come_at_the_first_pull(backend: AsyncLocalBackend, root: Path) -> None:
    """READ-003 to 005: missing, folder, through a file, the root."""
    (root / "d").mkdir()
    (root / "f").touch()
    for key, error in (
        ("missing", NotFound),
        ("f/below", NotFound),
        ("d", InvalidPath),
        ("", InvalidPath),
        ("../x", InvalidPath),
    ):
        items = backend.read(key)
        with pytest.raises(error):
            await anext(items)
        with pytest.raises(error):
            await backend.read_bytes(key)


@pytest.mark.parametrize("pulls", [0, 1, 2])
async def test_closed_early(backend: AsyncLocalBackend, root: Path, pulls: int) -> None:
    """READ-007: closing the iterator closes the file; no task and no thread works on."""
    (root / "f").write_bytes(bytes(8 << 20))
    await backend.exists("f")
    before, tasks = descriptors(), asyncio.all_tasks()
    async with contextlib.aclosing(AsyncStore(backend).read("f")) as items:
        for _ in range(pulls):
            await anext(items)
    assert descriptors() == before
    assert asyncio.all_tasks() == tasks


async def test_two_readers_and_a_writer(backend: AsyncLocalBackend) -> None:
    """READ-008, 009: readers are independent, and each sees one version to its end."""
    old, new = b"a" * (3 << 20), b"b" * (3 << 20)
    await backend.write("f", old)
    first = backend.read("f")
    head = await anext(first)
    await backend.write("f", new, overwrite=True)
    assert b"".join([part async for part in backend.read("f")]) == new
    assert head + b"".join([part async for part in first]) == old
    second = backend.read("f")
    await anext(second)
    await backend.delete("f")
    assert sum([len(part) async for part in second]) == 2 << 20


async def test_a_file_that_shrinks(backend: AsyncLocalBackend, root: Path) -> None:
    """FAULT-001: short data are never handed out as if they were the whole file."""
    (root / "f").write_bytes(bytes(8 << 20))
    items = backend.read("f")
    await anext(items)
    os.truncate(root / "f", 100)
    with pytest.raises(PreconditionFailed, match="shrank"):
        _ = [part async for part in items]


async def test_whole_file_that_shrinks(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULT-001 for `read_bytes`; one that grows is read to its new end."""
    (root / "f").write_bytes(b"x" * 100)
    read = os.read
    sizes = [40]

    def late(fd: int, size: int) -> bytes:
        if sizes:
            os.truncate(root / "f", sizes.pop(0))
        return read(fd, size)

    monkeypatch.setattr(os, "read", late)
    with pytest.raises(PreconditionFailed, match="shrank"):
        await backend.read_bytes("f")
    sizes[:] = [300]
    assert len(await backend.read_bytes("f")) == 300


async def test_failing_block(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk error in the middle of a stream is typed, and the file is closed."""
    (root / "f").write_bytes(bytes(8 << 20))
    await backend.exists("f")
    before = descriptors()
    read, calls = _read.SharedFile.read, []

    def fail(self: Any, size: int) -> bytes:
        calls.append(size)
        if len(calls) == 2:
            raise OSError(5, "disk")
        return read(self, size)

    monkeypatch.setattr(_read.SharedFile, "read", fail)
    with pytest.raises(RemoteStoreError, match="disk") as caught:
        _ = [part async for part in backend.read("f")]
    assert isinstance(caught.value.__cause__, OSError)
    assert descriptors() == before


async def test_lazy(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAZY-001: a reader that stops early has read one block ahead, no more."""
    (root / "f").write_bytes(bytes(64 << 20))
    asked: list[int] = []
    read = _read.SharedFile.read

    def spy(self: Any, size: int) -> bytes:
        asked.append(size)
        return read(self, size)

    monkeypatch.setattr(_read.SharedFile, "read", spy)
    items = backend.read("f")
    await anext(items)
    await asyncio.sleep(0.1)
    await items.aclose()
    assert sum(asked) <= 3 << 20


async def test_small_files_take_one_hop(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of a file below 1 MiB is opened, read and found complete in one go."""
    (root / "f").write_bytes(b"x" * 1000)
    jobs = count_hops(monkeypatch)
    assert [part async for part in backend.read("f")] == [b"x" * 1000]
    assert len(jobs) == 1


async def test_released_before_it_was_opened() -> None:
    """A read that is let go of before its thread comes to it opens nothing."""
    source = _read.LazyFile()
    source.release()
    source.release()

    def never() -> Any:
        pytest.fail("opened")

    assert source.start(never, 10) == b""
    pages = _list.PageReader(iter_of_one())
    pages.release()
    assert pages.next(5) == []


def iter_of_one() -> Any:
    yield 1


async def test_released_file_reads_nothing(root: Path) -> None:
    """After its release a file gives the end, not an error of a closed file."""
    (root / "f").write_bytes(b"x" * 100)
    source = _read.LazyFile()

    def opened() -> tuple[int, os.stat_result]:
        fd = os.open(root / "f", os.O_RDONLY)
        return fd, os.fstat(fd)

    assert source.start(opened, 10) == b"x" * 10
    assert source.file
    source.release()
    assert source.file.closed
    assert source.file.read(10) == b""


MEMORY = """
    import asyncio, json, sys
    from remote_store_local import AsyncLocalBackend, _streams

    root, direction, buffering = sys.argv[1], sys.argv[2], sys.argv[3] == "buffering"
    BLOCK = bytes(1 << 16)

    def peak():
        for line in open("/proc/self/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024

    async def source(size):
        for _ in range(size // len(BLOCK)):
            yield BLOCK

    async def run(backend, size):
        if direction == "write":
            content = source(size)
            if buffering:
                content = b"".join([part async for part in content])
            await backend.write("f", content, overwrite=True)
        else:
            if buffering:
                await backend.read_bytes("f")
            else:
                async for part in backend.read("f"):
                    pass

    async def main():
        backend = AsyncLocalBackend(root)
        await backend.write("f", source(8 << 20), overwrite=True)
        await run(backend, 8 << 20)
        if direction == "read":
            with open(f"{root}/f", "r+b") as file:
                file.truncate(256 << 20)
        before = peak()
        await run(backend, 256 << 20)
        print(json.dumps(peak() - before))

    asyncio.run(main())
"""


@pytest.mark.long
@pytest.mark.parametrize("direction", ["read", "write"])
@pytest.mark.parametrize("variant", ["ours", "buffering"])
async def test_memory(root: Path, direction: str, variant: str) -> None:
    """256 MiB add at most 24 MiB to the peak; a variant that buffers adds all of it."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEMORY), root, direction, variant],
        capture_output=True,
        text=True,
        check=True,
    )
    growth = json.loads(done.stdout)
    assert (growth <= 24) == (variant == "ours"), f"{growth} MiB"
