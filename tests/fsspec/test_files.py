"""Files: what a reader gets, and that a writer stores all or nothing."""

from __future__ import annotations

import asyncio
import errno
import gc
import pickle
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.asyn import get_loop

from remote_store import BackendUnavailable, WriteResult
from remote_store.aio import AsyncStore
from remote_store_fsspec import RemoteStoreFileSystem
from remote_store_memory import AsyncMemoryBackend

MIB = 1024 * 1024


def _tasks() -> int:
    return len([task for task in asyncio.all_tasks(get_loop()) if not task.done()])


def _fail(_: object = None) -> None:
    raise ZeroDivisionError


def _stored(file: Any, piece: Any) -> None:
    file.write(piece)
    file.close()


def _half(file: Any, piece: Any) -> None:
    _fail(file.write(piece))


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Any:
    yield
    until = time.monotonic() + 5
    while _tasks() and time.monotonic() < until:
        time.sleep(0.01)
    assert _tasks() == 0


@pytest.mark.parametrize("size", [0, 5, 3 * MIB + 7])
def test_what_is_written_is_read(fs: RemoteStoreFileSystem, size: int) -> None:
    """Whether it fits into one block or not."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with fs.open("a/b", "wb", block_size=MIB) as file:
        for start in range(0, size, 300_000):
            file.write(content[start : start + 300_000])
        assert not fs.exists("a/b")
    with fs.open("a/b") as file:
        assert file.read() == content
        assert file.seek(-3, 2) == max(size - 3, 0) if size else True
        assert file.read() == content[-3:]


def test_text_lines_and_zip_files(fs: RemoteStoreFileSystem) -> None:
    """What the standard library makes of a file works."""
    with fs.open("a.txt", "w", encoding="utf-8") as file:
        file.writelines(f"line {n} ä\n" for n in range(20_000))
    with fs.open("a.txt", "r", encoding="utf-8") as file:
        assert [line.split()[1] for line in file][-1] == "19999"
    with fs.open("a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("in", "side")
    with fs.open("a.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("in") == b"side"


@pytest.mark.parametrize("size", [10, 3 * MIB])
@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_block_that_fails_stores_nothing(
    fs: RemoteStoreFileSystem, size: int, mode: str, warnings_of: Callable[[], list[str]]
) -> None:
    """The old content stays; so it is with text and with `fsspec.open`, which only close."""
    fs.pipe("a", b"old")
    piece: Any = "x" if mode == "w" else b"x"
    with pytest.raises(ZeroDivisionError), fs.open("a", mode, block_size=MIB) as file:
        _half(file, piece * size)

    assert fs.cat("a") == b"old"
    assert ["not stored" in text for text in warnings_of()] == [True]


def test_open_of_fsspec_stores_nothing_either(tmp_path: Path) -> None:
    """It closes its files without a word of the exception."""
    store = f"local://{tmp_path}"
    with (
        pytest.raises(ZeroDivisionError),
        fsspec.open("remote-store:///a", "wb", store=store) as file,
    ):
        _half(file, b"half")
    assert list(tmp_path.iterdir()) == []


def test_a_file_written_while_an_error_is_handled_is_stored(fs: RemoteStoreFileSystem) -> None:
    """The error is older than the file, such as a report of it."""
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        with fs.open("report", "w") as file:
            file.write(repr(error))
    assert fs.cat("report") == b"ZeroDivisionError('division by zero')"


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_file_that_is_thrown_away_is_not_stored(
    fs: RemoteStoreFileSystem, size: int, warnings_of: Callable[[], list[str]]
) -> None:
    """And a warning says so."""
    fs.open("a", "wb", block_size=MIB).write(b"x" * size)
    gc.collect()

    assert not fs.exists("a")
    assert ["never closed" in text for text in warnings_of()] == [True]


def test_an_exclusive_file(fs: RemoteStoreFileSystem) -> None:
    """One that is there is refused at once, one that comes meanwhile when it is closed."""
    file = fs.open("a", "xb")
    file.write(b"mine")
    fs.pipe("a", b"theirs")
    with pytest.raises(FileExistsError):
        file.close()
    with pytest.raises(FileExistsError):
        fs.open("a", "xb")
    with pytest.raises(FileExistsError):
        fs.pipe_file("a", b"", mode="create")
    assert fs.cat("a") == b"theirs"


class _Failing(AsyncMemoryBackend):
    """Fails after the first piece of a stream."""

    async def write(self, path: str, content: Any, **options: Any) -> WriteResult:
        if isinstance(content, AsyncIterator):
            await anext(content)
            raise BackendUnavailable("down", path=path)
        return await super().write(path, content, **options)


def test_a_store_that_fails_meanwhile_is_heard_of() -> None:
    """By the next write or by the close, and what was there stays."""
    fs = RemoteStoreFileSystem(store=AsyncStore(_Failing()))
    fs.pipe("a", b"old")
    with pytest.raises(ConnectionError), fs.open("a", "wb", block_size=10) as file:
        file.writelines([b"0123456789"] * 100)
    file = fs.open("a", "wb", block_size=10)
    with pytest.raises(ConnectionError):
        _stored(file, b"0123456789")
    file.discard()
    assert fs.cat("a") == b"old"


@pytest.mark.parametrize("mode", ["ab", "r+b", "a"])
def test_a_part_of_a_file_is_not_written(fs: RemoteStoreFileSystem, mode: str) -> None:
    """Nothing could make that all or nothing."""
    with pytest.raises(NotImplementedError, match="as a whole"):
        fs.open("a", mode)


def test_a_transaction_stores_at_its_end(fs: RemoteStoreFileSystem, tmp_path: Path) -> None:
    """Files, pipes and puts; or none of them, when it fails."""
    (tmp_path / "put").write_bytes(b"3")

    def write(then: Callable[[], object] = bool) -> None:
        with fs.open("small", "wb") as file:
            file.write(b"1")
        with fs.open("large", "wb", block_size=MIB) as file:
            file.write(b"2" * (3 * MIB))
        fs.pipe("pipe", b"4")
        fs.put(str(tmp_path / "put"), "put")
        assert fs.find("") == []
        then()

    with pytest.raises(ZeroDivisionError), fs.transaction:
        write(then=_fail)
    assert fs.find("") == []
    with fs.transaction:
        write()
    assert fs.du("", total=False) == {
        "/large": 3 * MIB,
        "/pipe": 1,
        "/put": 1,
        "/small": 1,
    }


def test_a_loop_of_its_own() -> None:
    """With ``asynchronous=True`` the coroutines run where they are called."""

    async def main() -> None:
        fs = RemoteStoreFileSystem(store=AsyncStore(AsyncMemoryBackend()), asynchronous=True)
        async with await fs.open_async("a", "wb", block_size=4) as file:
            await file.write(b"0123")
            await file.write(b"456789")
        with pytest.raises(ZeroDivisionError):
            async with await fs.open_async("a", "wb", block_size=4) as file:
                _fail(await file.write(b"half of it"))
        with pytest.raises(FileExistsError):
            async with await fs.open_async("a", "xb") as file:
                await file.write(b"1")
        async with await fs.open_async("a") as file:
            assert await file.read(4) == b"0123"
            assert await file.read() == b"456789"
            assert await file.read() == b""
        assert await fs._cat_file("a", start=-3) == b"789"
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_ranges(fs: RemoteStoreFileSystem) -> None:
    """As a slice of the content, whatever is negative, missing or beyond the end."""
    content = bytes(range(200))
    fs.pipe({"a": content, "b": b"0123"})
    bounds = (None, 0, 3, 150, 200, 500, -1, -150, -500)
    for start in bounds:
        for end in bounds:
            assert fs.cat_file("a", start, end) == content[start:end], (start, end)

    paths = ["a", "b", "a", "none", "b", "a"]
    found = fs.cat_ranges(paths, [0, 1, 190, 0, -2, 5], [5, 3, 500, 4, None, 5])
    assert found[:3] == [content[:5], b"12", content[190:]]
    assert isinstance(found[3], FileNotFoundError)
    assert found[4:] == [b"23", b""]
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(paths, 0, 4, on_error="raise")
    assert fs.cat_ranges(["a", "b"], 1, 3, max_gap=0) == [content[1:3], b"12"]


def test_a_file_is_of_one_version(fs: RemoteStoreFileSystem, local: RemoteStoreFileSystem) -> None:
    """What was replaced since it was opened is an error, also in a copy of the file."""
    for one in (fs, local):
        one.pipe("a", b"0123456789")
        file = one.open("a")
        assert file.read(2) == b"01"
        assert local.open("a").read() == b"0123456789" if one is local else True
        copy = pickle.loads(pickle.dumps(file)) if one is local else file
        one.pipe("a", b"abcdefghij")
        for old in (file, copy):
            with pytest.raises(OSError, match="version") as raised:
                old.read(3)
            assert raised.value.errno == errno.ESTALE


def test_who_jumps_gets_no_byte_more_and_who_reads_on_gets_ahead() -> None:
    """Small steps do not become small requests, nor jumps large ones."""
    from remote_store_fsspec._read_ahead import ReadAhead

    content = bytes(1_000_003)
    asked: list[int] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append(end - start)
        return content[start:end]

    jumps = ReadAhead(100_000, fetch, len(content))
    for start in (900_000, 17, 400_000, 400_000, 1_000_000):
        assert len(jumps._fetch(start, start + 100)) == min(100, len(content) - start)
    assert asked == [100, 100, 100, 3]

    asked.clear()
    steps = ReadAhead(500_000, fetch, len(content))
    got = b"".join(steps._fetch(at, at + 1000) for at in range(0, len(content), 1000))
    assert got == content
    assert sum(asked) == len(content)
    assert len(asked) <= 6
