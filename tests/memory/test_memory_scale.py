"""What an operation costs grows with what it touches, and with nothing else."""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from remote_store_memory import AsyncMemoryBackend
from remote_store_memory._mutable_tree import MutableTree

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.no_cover]

FEW, MANY = 1_000, 100_000


async def _backend(files: int, per_folder: int) -> AsyncMemoryBackend:
    backend = AsyncMemoryBackend()
    for i in range(files):
        await backend.write(f"d/{i // per_folder}/{i}", b"x")
    return backend


async def _seconds(operation: Callable[[], Awaitable[object]], times: int) -> float:
    """Return the least processor time of this thread for *operation*, of some attempts."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(3):
            start = time.thread_time()
            for _ in range(times):
                await operation()
            best = min(best, time.thread_time() - start)
    finally:
        gc.enable()
    return best


async def _drain(found: AsyncIterator[object]) -> int:
    count = 0
    async for _ in found:
        count += 1
    return count


@pytest.mark.long
@pytest.mark.parametrize("per_folder", [MANY, 10])
async def test_linear(per_folder: int) -> None:
    """A hundred times the files cost about a hundred times the work, not ten thousand times."""
    few = await _backend(FEW, per_folder)
    many = await _backend(MANY, per_folder)

    async def list_all(backend: AsyncMemoryBackend) -> None:
        await _drain(backend.list_files("", recursive=True))

    async def delete(backend: AsyncMemoryBackend) -> float:
        start = time.thread_time()
        await backend.delete_folder("d", recursive=True)
        return time.thread_time() - start

    ratios = {
        "list": await _seconds(lambda: list_all(many), 1)
        / await _seconds(lambda: list_all(few), 1),
        "info": await _seconds(lambda: many.get_folder_info("d"), 1)
        / await _seconds(lambda: few.get_folder_info("d"), 1),
        "delete": await delete(many) / await delete(few),
    }

    assert {name: ratio for name, ratio in ratios.items() if ratio > 1000} == {}


async def test_siblings_cost_nothing() -> None:
    """A lookup or change of one file does not depend on the number of its siblings."""
    few = await _backend(10, MANY)
    many = await _backend(MANY, MANY)

    async def cycle(backend: AsyncMemoryBackend) -> None:
        await backend.write("d/0/new", b"x")
        await backend.write("d/0/new", b"y", overwrite=True)
        await backend.exists("d/0/7")
        await backend.exists("d/0/gone")
        await backend.read_bytes("d/0/7")
        await backend.get_file_info("d/0/7")
        await backend.copy("d/0/7", "d/0/copy")
        await backend.move("d/0/copy", "d/0/moved")
        await backend.delete("d/0/moved")
        await backend.delete("d/0/new")
        assert await _drain(backend.list_folders("d")) == 1

    ratio = await _seconds(lambda: cycle(many), 50) / await _seconds(lambda: cycle(few), 50)

    assert ratio < 20


@pytest.mark.long
async def test_listing_holds_one_folder() -> None:
    """A recursive listing holds on to one folder at a time, and copies none."""
    backend = await _backend(MANY, MANY // 100)
    tracemalloc.start()
    try:
        assert await _drain(backend.list_files("", recursive=True)) == MANY
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    # One reference for each of all files would be four times as much.
    assert peak < 2 * MANY


async def test_first_entry_is_quick() -> None:
    """The first entry of a listing does not wait for those that follow."""
    few, many = await _backend(300, MANY), await _backend(30_000, MANY)
    for backend, count in ((few, 300), (many, 30_000)):
        for i in range(count):
            await backend.write(f"folders/{i}/f", b"")

    async def first(backend: AsyncMemoryBackend) -> None:
        for found in (
            backend.list_files("d/0"),
            backend.iter_children("d/0"),
            backend.list_folders("folders"),
            backend.iter_children("folders"),
            backend.list_files("folders", recursive=True),
        ):
            await anext(found)
            await found.aclose()  # type: ignore[attr-defined]

    ratio = await _seconds(lambda: first(many), 20) / await _seconds(lambda: first(few), 20)

    assert ratio < 4


async def test_a_change_copies_only_what_a_listing_holds() -> None:
    """A change after a listing has ended costs no copy, and one during it costs one at most."""
    backend = await _backend(MANY, MANY)
    tree = backend._tree
    home = tree._by_key["d/0"]
    files = home.files

    assert await _drain(backend.list_files("d/0")) == MANY
    await backend.write("d/0/after", b"")
    await backend.write("d/0/7", b"", overwrite=True)
    assert home.files is files

    found = backend.list_files("d/0")
    await anext(found)
    await backend.delete("d/0/8")
    copy = home.files
    assert copy is not files
    await backend.move("d/0/9", "d/0/moved")
    await backend.delete_folder("d", recursive=True)
    assert home.files is copy
    assert await _drain(found) == MANY


async def test_a_deletion_touches_no_stranger() -> None:
    """Deleting a small folder costs the same in a large store, and look-ups stay as fast."""
    few, many = await _backend(10, 10), await _backend(MANY, 10)

    async def cycle(backend: AsyncMemoryBackend) -> None:
        await backend.write("gone/a/b/f", b"")
        await backend.delete_folder("gone", recursive=True)
        assert await backend.exists("d/0/7")

    before = dict(many._tree._by_key)
    ratio = await _seconds(lambda: cycle(many), 50) / await _seconds(lambda: cycle(few), 50)

    assert ratio < 20
    assert before == many._tree._by_key


@pytest.mark.parametrize("per_folder", [MANY, pytest.param(100, marks=pytest.mark.long)])
async def test_memory_of_a_file(per_folder: int) -> None:
    """A file takes at most 250 bytes, its key included, and its content not."""
    files, content = 20_000, b"x"
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        # Not through the backend, whose results share a memory of paths with the core.
        tree = MutableTree("memory")
        for i in range(files):
            tree.put(f"d/{i // per_folder:04}/{i:08}", content, False, None)
        size = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert tree.count() == (files, 1 + -(-files // per_folder))
    assert size / files <= 250


async def test_deep() -> None:
    """Twenty times as many levels as the interpreter would recurse are no problem."""
    levels = 20 * sys.getrecursionlimit()
    backend = AsyncMemoryBackend()
    folder = "/".join(["d"] * levels)
    key = f"{folder}/f"
    await backend.write(key, b"12")
    await backend.write("d/g", b"3")

    assert await backend.read_bytes(key) == b"12"
    assert f"AsyncMemoryBackend(files=2, folders={levels})" == repr(backend)
    assert {key, "d/g"} == {str(i.path) async for i in backend.list_files("", recursive=True)}
    assert (await backend.get_folder_info("d")).total_size == 3
    await backend.move(key, f"{folder}/e/f")
    await backend.copy(f"{folder}/e/f", "top")
    assert [entry.name async for entry in backend.list_folders(folder)] == ["e"]
    await backend.delete_folder("d/d", recursive=True)
    assert repr(backend) == "AsyncMemoryBackend(files=2, folders=1)"


async def test_deep_tree_is_dropped() -> None:
    """A deep tree that nobody deleted goes with its backend, without a crash."""
    backend = AsyncMemoryBackend()
    await backend.write("/".join(["d"] * 100_000), b"")
    root = weakref.ref(backend)
    del backend
    gc.collect()

    assert None is root()
