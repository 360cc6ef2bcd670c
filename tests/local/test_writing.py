"""Writes: whole or not at all, in the right order of checks, and nothing left behind."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store import (
    AlreadyExists,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_local import AsyncLocalBackend
from remote_store_local._fs import temp_file

pytestmark = pytest.mark.asyncio


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class Untouched:
    """A source that must not be asked for anything."""

    def __aiter__(self) -> Untouched:
        return self

    async def __anext__(self) -> bytes:
        pytest.fail("the source was consumed")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20])
async def test_round_trip(backend: AsyncLocalBackend, size: int) -> None:
    """WRITE-001: bytes and streams come back equal, around every block boundary."""
    data = os.urandom(size)
    first = await backend.write("d/bytes", data)
    second = await backend.write_atomic("d/stream", chunks(b"", data[:7], b"", data[7:]))
    assert (first.size, second.size) == (size, size)
    assert await backend.read_bytes("d/bytes") == data
    assert await backend.read_bytes("d/stream") == data
    assert b"".join([part async for part in backend.read("d/stream")]) == data


async def test_small_chunks_are_gathered(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of small chunks is written in blocks of at least 1 MiB."""
    blocks: list[int] = []
    from remote_store_local import _streams

    put = _streams._put

    async def spy(pool: Any, files: Any, key: str, raw: Any, block: bytes) -> int:
        blocks.append(len(block))
        return await put(pool, files, key, raw, block)

    monkeypatch.setattr(_streams, "_put", spy)
    await backend.write("f", chunks(*[b"x" * 70_000] * 40))
    assert len(blocks) == 2
    assert min(blocks) >= 1 << 20
    assert await backend.read_bytes("f") == b"x" * 2_800_000


async def test_bytearray_chunks_are_copied(backend: AsyncLocalBackend) -> None:
    """A source may reuse its buffer after handing it out."""

    async def reuse() -> AsyncIterator[Any]:
        buffer = bytearray(b"a" * 10)
        yield buffer
        buffer[:] = b"b" * 10
        yield memoryview(buffer)

    await backend.write("f", reuse())
    assert await backend.read_bytes("f") == b"a" * 10 + b"b" * 10


async def test_failing_source(backend: AsyncLocalBackend, root: Path) -> None:
    """ATOM-002, WRITE-007: the source's own error comes out, the old file stays."""
    await backend.write("f", b"old")
    mine = RuntimeError("mine")

    async def fails() -> AsyncIterator[bytes]:
        yield b"x" * (3 << 20)
        raise mine

    for write in (backend.write, backend.write_atomic):
        with pytest.raises(RuntimeError) as caught:
            await write("f", fails(), overwrite=True)
        assert caught.value is mine
        with pytest.raises(RuntimeError):
            await write("new/folder/f", fails())
    assert await backend.read_bytes("f") == b"old"
    assert os.listdir(root) == ["f"]


async def test_a_source_that_raises_an_oserror(backend: AsyncLocalBackend) -> None:
    """The source's OSError is the caller's, not ours: it is not translated."""
    mine = FileNotFoundError(errno.ENOENT, "mine")

    async def fails() -> AsyncIterator[bytes]:
        yield b"x"
        raise mine

    with pytest.raises(FileNotFoundError) as caught:
        await backend.write("f", fails())
    assert caught.value is mine


@pytest.mark.parametrize("kind", ["write", "write_atomic"])
async def test_order_of_checks(backend: AsyncLocalBackend, kind: str) -> None:
    """WRITE-003, 005, 006: each refusal comes before the source is asked for anything."""
    write = getattr(backend, kind)
    await backend.write("file", b"1")
    await backend.write("folder/x", b"2")
    for key in ("", ".", "/", "./", "//"):
        with pytest.raises(InvalidPath):
            await write(key, Untouched(), overwrite=True)
    for overwrite in (False, True):
        with pytest.raises(InvalidPath, match="exists as a directory"):
            await write("folder", Untouched(), overwrite=overwrite)
        with pytest.raises(InvalidPath, match="exists as a file"):
            await write("file/below/x", Untouched(), overwrite=overwrite)
        with pytest.raises(InvalidPath, match="reserved"):
            await write("a/.~tmp.x", Untouched(), overwrite=overwrite)
    with pytest.raises(AlreadyExists, match="already exists") as caught:
        await write("file", Untouched())
    assert (caught.value.path, caught.value.backend) == ("file", "async-local")
    assert await backend.read_bytes("file") == b"1"


async def test_failed_write_removes_its_folders_only(
    backend: AsyncLocalBackend, root: Path
) -> None:
    """Folders that a failed write made are gone, those that were there before stay."""
    (root / "there").mkdir()

    async def fails() -> AsyncIterator[bytes]:
        assert (root / "there/a/b").is_dir()
        raise KeyError
        yield b""

    with pytest.raises(KeyError):
        await backend.write("there/a/b/f", fails())
    assert (root / "there").is_dir()
    assert not (root / "there/a").exists()


async def test_failed_write_leaves_folders_in_use(backend: AsyncLocalBackend, root: Path) -> None:
    """A folder that somebody else put something into meanwhile stays."""

    async def fails() -> AsyncIterator[bytes]:
        (root / "a/other").write_bytes(b"")
        raise KeyError
        yield b""

    with pytest.raises(KeyError):
        await backend.write("a/b/f", fails())
    assert [str(p.relative_to(root)) for p in sorted(root.rglob("*"))] == ["a", "a/other"]


async def test_permissions(backend: AsyncLocalBackend, root: Path) -> None:
    """A new file gets the umask's permissions; a replaced one keeps its own."""
    old = os.umask(0o027)
    try:
        await backend.write("new", b"1")
        (root / "private").write_bytes(b"")
        for mode in (0o600, 0o666, 0o444):
            (root / "private").chmod(mode)
            await backend.write("private", b"2", overwrite=True, metadata={"a": "b"})
            assert stat.S_IMODE((root / "private").stat().st_mode) == mode
    finally:
        os.umask(old)
    assert stat.S_IMODE((root / "new").stat().st_mode) == 0o640


async def test_hard_links_are_cut(backend: AsyncLocalBackend, root: Path) -> None:
    """Replacing one of two names leaves the other with the old content."""
    await backend.write("a", b"old")
    os.link(root / "a", root / "b")
    await backend.write("a", b"new", overwrite=True)
    assert await backend.read_bytes("b") == b"old"


@pytest.mark.parametrize("overwrite", [False, True])
async def test_bytes_survive_a_vanishing_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    """When the folder is deleted under a write of bytes, the write comes afterwards."""
    backend = AsyncLocalBackend(root)
    commit = temp_file.TempFile.commit
    left = [2]

    def late(self: Any, *args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            self._target.folder.unlink(self._temporary)
            os.rmdir(root / "d")
        return commit(self, *args, **kwargs)

    monkeypatch.setattr(temp_file.TempFile, "commit", late)
    await backend.write("d/f", b"x", overwrite=overwrite)
    assert left == [0]
    assert await backend.read_bytes("d/f") == b"x"


async def test_a_stream_reports_a_vanished_folder(backend: AsyncLocalBackend, root: Path) -> None:
    """A stream cannot be repeated: its writer is told."""

    async def source() -> AsyncIterator[bytes]:
        yield b"x"
        for name in litter(root):
            os.unlink(root / "d" / name)
        os.rmdir(root / "d")

    with pytest.raises(PreconditionFailed, match="deleted"):
        await backend.write("d/f", source())
    assert os.listdir(root) == []


async def test_folders_deleted_again_and_again(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer whose folder never stays gives up with an error instead of hanging."""
    mkdir = os.mkdir

    def futile(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        mkdir(path, mode, dir_fd=dir_fd)
        os.rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", futile)
    with pytest.raises(PreconditionFailed, match="again and again"):
        await backend.write("d/f", b"x")
    monkeypatch.undo()
    assert os.listdir(root) == []


async def test_missing_root(backend: AsyncLocalBackend, root: Path) -> None:
    """A root that went away is not made again: it may be an unmounted disk."""
    root.rmdir()
    with pytest.raises(NotFound, match="root"):
        await backend.write("f", b"x")
    assert not root.exists()
    assert not await backend.exists("")


@pytest.mark.parametrize(
    ("call", "number", "expected"),
    [
        ("write", errno.ENOSPC, RemoteStoreError),
        ("write", errno.EIO, RemoteStoreError),
        ("replace", errno.EACCES, PermissionDenied),
        ("mkdir", errno.EROFS, PermissionDenied),
        ("fsync", errno.EIO, RemoteStoreError),
        ("setxattr", errno.ENOSPC, RemoteStoreError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_failing_system_calls(
    backend: AsyncLocalBackend,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    expected: type[Exception],
    stream: bool,
) -> None:
    """Whichever step fails, the error is typed, has its cause, and nothing is left."""
    (root / "d").mkdir()

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    content = chunks(b"x" * 100) if stream else b"x" * 100
    with pytest.raises(expected) as caught:
        await backend.write_atomic("d/e/f", content, overwrite=True)
    monkeypatch.undo()
    assert isinstance(caught.value, RemoteStoreError)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == number
    assert [p.name for p in root.rglob("*")] == ["d"]


async def test_failing_block(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that the disk refuses in the middle of a stream is a typed error."""
    from remote_store_local import _streams

    class Full:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        async def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(_streams, "_wrapped", Full)
    with pytest.raises(RemoteStoreError, match="No space") as caught:
        await backend.write("d/f", chunks(b"x" * (2 << 20)))
    assert isinstance(caught.value.__cause__, OSError)
    assert os.listdir(root) == []


async def test_thrown_away_coroutine(backend: AsyncLocalBackend, root: Path) -> None:
    """A write whose coroutine is closed without a loop cleans up as well."""
    import asyncio

    waits = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield b"x"
        waits.set()
        await asyncio.sleep(60)

    call = backend.write("d/f", source())
    future = call.send(None)
    assert future is not None
    await asyncio.sleep(0.2)
    future.result()
    call.send(None)  # now it waits in the source
    assert waits.is_set()
    assert litter(root)
    call.close()
    assert os.listdir(root) == []
