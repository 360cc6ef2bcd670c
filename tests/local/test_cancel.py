"""Cancellation: the old object or the new one, nothing left, and nothing changes afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store_local import AsyncLocalBackend, _read, _transfer
from remote_store_local._fs import renameat2, temp_file

pytestmark = pytest.mark.asyncio

OLD, NEW = b"old" * 1000, b"new!" * 1000
Write = Callable[[Path, int], Awaitable[object]]


async def stream(blocks: int) -> AsyncIterator[bytes]:
    yield NEW
    for _ in range(blocks):
        await asyncio.sleep(0)
        yield bytes(1 << 20)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the write and the rename of this machine slow enough to be cancelled in."""
    replace, rename, write = os.replace, renameat2.renameat2, os.write

    def slow_replace(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.003)
        replace(*args, **kwargs)

    def slow_rename(*args: Any) -> None:
        time.sleep(0.003)
        rename(*args)

    def slow_write(fd: int, data: Any) -> int:
        time.sleep(0.002)
        return write(fd, data)

    monkeypatch.setattr(os, "replace", slow_replace)
    monkeypatch.setattr(renameat2, "renameat2", slow_rename)
    monkeypatch.setattr(os, "write", slow_write)


def snapshot(root: Path) -> dict[str, tuple[int, int, int]]:
    """Return everything below *root*, with what tells one version from another."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue  # changing at this very moment
            found[path] = status.st_ino, status.st_ctime_ns, status.st_size
    return found


async def cancelled_writes(root: Path, write: Write, count: int, longest: float) -> list[str]:
    """Cancel *count* writes at random moments; return what is wrong, one word for each."""
    rng = random.Random(11)
    wrong = []
    for number in range(count):
        (root / "f").write_bytes(OLD)
        task = asyncio.ensure_future(write(root, number))
        await asyncio.sleep(rng.uniform(0, longest))
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            told = snapshot(root)
            content = (root / "f").read_bytes()
            if content != OLD and not content.startswith(NEW):
                wrong.append("half")
            await asyncio.sleep(0.005)
            if snapshot(root) != told:
                wrong.append("late")
        if litter(root):
            wrong.append("litter")
            for name in litter(root):
                (root / name).unlink(missing_ok=True)
    return wrong


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("kind", ["write", "write_atomic", "stream", "exclusive"])
@pytest.mark.parametrize("count", [30, pytest.param(130, marks=pytest.mark.long)])
async def test_settled(root: Path, kind: str, count: int) -> None:
    """CANCEL-002, 003, 005: of more than 500 cancelled writes none leaves a trace."""
    backend = AsyncLocalBackend(root)

    def write(_: Path, number: int) -> Awaitable[object]:
        if kind == "stream":
            return backend.write("f", stream(number % 3), overwrite=True)
        if kind == "exclusive":
            return backend.write(f"d{number}/f", stream(0) if number % 2 else NEW)
        return getattr(backend, kind)("f", NEW, overwrite=True)  # type: ignore[no-any-return]

    tasks = asyncio.all_tasks()
    assert await cancelled_writes(root, write, count, 0.012) == []
    assert asyncio.all_tasks() == tasks
    await backend.write("f", b"next", overwrite=True)  # CANCEL-004
    assert await backend.read_bytes("f") == b"next"


@pytest.mark.usefixtures("slow")
async def test_a_naive_writer_is_caught(root: Path) -> None:
    """The same check fails for a writer that just runs its steps in threads."""

    async def naive(folder: Path, number: int) -> None:
        temporary = folder / f".~tmp.{number}"
        await asyncio.to_thread(temporary.write_bytes, NEW)
        try:
            await asyncio.to_thread(os.replace, temporary, folder / "f")
        except Exception:
            temporary.unlink(missing_ok=True)
            raise

    wrong = await cancelled_writes(root, naive, 130, 0.006)
    assert "late" in wrong
    assert "litter" in wrong


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_cancelled_while_the_source_waits(
    backend: AsyncLocalBackend, root: Path, times: int
) -> None:
    """A stream that waits for its source is cancelled, however often, without a trace."""
    waits = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield bytes(3 << 20)
        waits.set()
        await asyncio.sleep(60)

    task = asyncio.ensure_future(backend.write("a/b/f", source()))
    await waits.wait()
    assert litter(root)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert os.listdir(root) == []


async def test_cancelled_at_every_step(backend: AsyncLocalBackend, root: Path) -> None:
    """CANCEL-001: after any number of steps of the loop, old or new and no litter."""
    await backend.write("f", OLD)
    for steps in range(60):
        for content in (NEW, stream(2)):
            task = asyncio.ensure_future(backend.write("f", content, overwrite=True))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (root / "f").read_bytes()[:4] in (OLD[:4], NEW[:4])
            assert os.listdir(root) == ["f"]


@pytest.mark.parametrize("kind", ["move", "copy", "delete"])
async def test_other_mutations_settle(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """CANCEL-003: move, copy and delete are waited for as well."""
    await backend.write("a", NEW)
    entered = threading.Event()
    owner: Any = type(backend._files) if kind == "delete" else _transfer
    name = {"move": "_rename", "copy": "create", "delete": "resolve_file"}[kind]
    original = getattr(owner, name)

    def late(*args: Any, **kwargs: Any) -> Any:
        entered.set()
        time.sleep(0.1)
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, late)
    arguments = ("a",) if kind == "delete" else ("a", "b")
    task = asyncio.ensure_future(getattr(backend, kind)(*arguments))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    told = snapshot(root)
    await asyncio.sleep(0.2)
    assert snapshot(root) == told
    assert litter(root) == []


def descriptors() -> list[str]:
    """Return the open descriptors of this process."""
    return sorted(os.listdir("/proc/self/fd"))


async def descriptors_are_again(before: list[str]) -> None:
    """Wait until a thread that was left behind has closed its file."""
    for _ in range(1500):
        if descriptors() == before:
            break
        await asyncio.sleep(0.01)
    assert descriptors() == before


async def test_reads_are_left_at_once(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query or read that hangs is left behind at once, without a descriptor."""
    await backend.write("f", bytes(3 << 20))
    before = descriptors()
    go, entered = threading.Event(), threading.Event()
    original = type(backend._files).open_file

    def hang(self: Any, key: str) -> Any:
        entered.set()
        assert go.wait(50)
        return original(self, key)

    monkeypatch.setattr(type(backend._files), "open_file", hang)
    for call in (
        lambda: backend.read_bytes("f"),
        lambda: backend.get_file_info("f"),
        lambda: anext(backend.read("f")),
    ):
        entered.clear()
        task = asyncio.ensure_future(call())
        await asyncio.to_thread(entered.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(15):
                await task
    go.set()
    await descriptors_are_again(before)


async def test_a_hanging_block_is_left_at_once(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that hangs in its second block lets go of task and, later, of the file."""
    import io

    await backend.write("f", bytes(4 << 20))
    before = descriptors()
    go, entered = threading.Event(), threading.Event()
    tasks = asyncio.all_tasks()
    items = backend.read("f")
    read = _read.SharedFile.read
    calls: list[int] = []

    def hang(self: Any, size: int) -> bytes:
        calls.append(size)
        if len(calls) > 1:
            with self._shared.use():
                entered.set()
                assert go.wait(50)
                return io.FileIO.read(self, size) or b""
        return read(self, size)

    monkeypatch.setattr(_read.SharedFile, "read", hang)
    await anext(items)
    pull = asyncio.ensure_future(anext(items))
    await asyncio.to_thread(entered.wait, 10)
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(15):
            await pull
    assert asyncio.all_tasks() == tasks
    go.set()
    await descriptors_are_again(before)


async def test_failed_clean_up_is_logged(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When even the clean-up fails, the first error comes out and the log names the litter."""
    from remote_store_local._fs.folder import OpenFolder

    def fail(self: OpenFolder, name: str) -> None:
        raise OSError(5, "disk")

    async def source() -> AsyncIterator[bytes]:
        yield b"x"
        monkeypatch.setattr(OpenFolder, "unlink", fail)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await backend.write("f", source())
    assert [r.levelname for r in caplog.records if r.name == "remote_store_local"] == ["WARNING"]


async def test_a_block_in_flight_is_waited_for(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CANCEL-003: a block on its way to the disk ends before CancelledError comes out."""
    import io

    from remote_store_local import _streams

    entered = threading.Event()
    events: list[str] = []

    def slow_write(self: Any, data: Any) -> int:
        with self._temp_file.busy:
            entered.set()
            time.sleep(0.2)
            done = io.FileIO.write(self, data)
            events.append("written")
        return done

    monkeypatch.setattr(_streams.RawTempFile, "write", slow_write)
    task = asyncio.ensure_future(backend.write("d/f", stream(3)))
    await asyncio.to_thread(entered.wait, 10)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events == ["written"]
    assert os.listdir(root) == []


@pytest.mark.parametrize("by", ["aclose", "break", "cancel"])
async def test_cancelled_while_closing_a_reader(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """A cancellation that causes or meets the closing of a reader is neither late nor lost."""
    await backend.write("f", bytes(4 << 20))
    before, tasks = descriptors(), asyncio.all_tasks()
    go, entered = threading.Event(), threading.Event()
    read = _read.SharedFile.read

    def hang(self: Any, size: int) -> bytes:
        if self.tell():
            with self._shared.use():
                entered.set()
                assert go.wait(50)
        return read(self, size)

    monkeypatch.setattr(_read.SharedFile, "read", hang)

    async def first() -> str:
        items = backend.read("f")
        if by == "aclose":
            await anext(items)
            await asyncio.to_thread(entered.wait, 10)
            await items.aclose()
        else:
            async with contextlib.aclosing(items):
                async for _ in items:
                    await asyncio.to_thread(entered.wait, 10)
                    if by == "break":
                        break
                    await asyncio.sleep(60)
        return "went on"

    task = asyncio.ensure_future(first())
    await asyncio.to_thread(entered.wait, 10)
    await asyncio.sleep(0.1)  # by now it waits for the read-ahead, or for us
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(15):
            await task
    assert asyncio.all_tasks() == tasks
    go.set()
    await descriptors_are_again(before)


async def test_cancelled_while_cleaning_up(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancellation during the clean-up of a failed write comes out, once that is done."""
    entered = threading.Event()
    discard = temp_file.TempFile.discard

    def slow_discard(temporary: temp_file.TempFile) -> None:
        entered.set()
        time.sleep(0.2)
        discard(temporary)

    async def source() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("mine")

    monkeypatch.setattr(temp_file.TempFile, "discard", slow_discard)
    task = asyncio.ensure_future(backend.write("d/f", source()))
    await asyncio.to_thread(entered.wait, 10)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert os.listdir(root) == []
