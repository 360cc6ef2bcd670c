"""Files that are open: read lazily, here and there, in one version."""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.contract.probes import Listener, as_backend
from tests.contract.ranges.parts import DATA, Defaults, Metered

from remote_store import (
    AsyncBackendSyncAdapter,
    BackendUnavailable,
    Capability,
    CapabilitySet,
    PreconditionFailed,
    Store,
)
from remote_store._contract.ranges import Place
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend, MemoryBackend


@pytest.mark.asyncio
async def test_open(store: AsyncStore) -> None:
    """It reads, seeks and tells as a file, and goes through its lines."""
    plain = io.BytesIO(DATA)
    step: Any
    async with store.open("a/b", block_size=5000) as file:
        assert (str(file.info.path), file.info.size) == ("a/b", len(DATA))
        for step in [
            ("read", 10),
            ("seek", -9, 2),
            ("read", 3),
            ("readline",),
            ("tell",),
            ("seek", 1_000_000),
            ("read", 1_200_000),
            ("seek", 5, 1),
            ("readline", 3),
            ("seek", 3),
            ("readline", 0),
            ("read", 200_000),
            ("seek", -100, 1),
            ("read", None),
            ("read",),
            ("seek", 10, 2),
            ("read", 1),
            ("seek", 0),
            ("read", 0),
        ]:
            name, *arguments = step
            found = await getattr(file, name)(*arguments)
            assert found == getattr(plain, name)(*arguments), step
        assert [line async for line in file] == plain.readlines()
        for bad in ((-1,), (0, 3)):
            with pytest.raises(ValueError):
                await file.seek(*bad)
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        await file.read()
    await file.aclose()


def test_open_sync(sync_store: Store) -> None:
    """What expects a file of Python's can use it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in ("one", "two"):
            archive.writestr(name, DATA)
    sync_store.write("z.zip", packed.getvalue())
    for opened in (sync_store.open, sync_store.read_seekable):
        with opened("z.zip") as file, zipfile.ZipFile(file) as archive:
            assert archive.namelist() == ["one", "two"]
            assert archive.read("two") == DATA
        with opened("a/b") as file:
            assert file.readlines() == io.BytesIO(DATA).readlines()
            file.seek(0)
            assert file.read() == DATA
            assert file.seek(-4, 2) == len(DATA) - 4
            text = io.TextIOWrapper(file)
            assert text.read() == "tail"
            text.detach()
    with sync_store.open("a/b", block_size=7) as file:
        target = bytearray(1000)
        file.seek(100)
        assert file.readinto(target) == 1000  # type: ignore[attr-defined]
        assert bytes(target) == DATA[100:1100]
        assert file.tell() == 1100


@pytest.mark.asyncio
async def test_one_version_for_each_open(store: AsyncStore) -> None:
    """A file that is replaced meanwhile is an error, and not a mixture."""
    async with store.open("a/b", block_size=1000) as file:
        assert await file.read(10) == DATA[:10]
        await store.write("a/b", DATA[::-1] + b"more", overwrite=True)
        await file.seek(1_000_000)
        with contextlib.suppress(PreconditionFailed):  # else of a stream that is still open
            assert await file.read(10) == DATA[1_000_000:1_000_010]
        await file.seek(100)
        with pytest.raises(PreconditionFailed):
            await file.read(10)
    part = DATA[::-1][1_000_000:1_000_010]
    async with store.open("a/b") as file:
        await file.seek(1_000_000)
        assert await file.read(10) == part


def test_one_version_for_each_open_sync() -> None:
    """The same, and a backend that hands out its own stream keeps the old version."""
    for backend in (AsyncBackendSyncAdapter(AsyncMemoryBackend()), MemoryBackend()):
        with Store(backend) as store:
            store.write("f", DATA)
            with store.open("f", block_size=1000) as file:
                assert file.read(10) == DATA[:10]
                store.write("f", DATA[::-1], overwrite=True)
                file.seek(1_000_000)
                if isinstance(backend, MemoryBackend):
                    assert file.read(10) == DATA[1_000_000:1_000_010]
                    continue
                with pytest.raises(PreconditionFailed):
                    file.read(10)


@pytest.mark.asyncio
async def test_what_is_asked_for() -> None:
    """Near ranges as one, a version only where there are several, and never more than is wanted."""
    backend = Metered()
    store = AsyncStore(backend)
    await store.write("f", DATA)
    await store.read_ranges("f", [(100, 200), (0, 50), (150, 300)], gap=50)
    assert (backend.asked, backend.looks) == ([(0, 300)], 0)
    backend.asked.clear()
    await store.read_ranges("f", [(0, 50), (101, 200)], gap=50)
    assert (backend.asked, backend.looks) == ([(0, 50), (101, 99)], 1)
    backend.asked.clear()
    async with store.open("f") as file:
        assert (backend.asked, backend.looks) == ([], 2)
        await file.seek(-1000, 2)
        await file.read()
        await file.seek(500_000)
        await file.read(300_000)
        await file.seek(1_000_000)
        await file.read(5)
    size = len(DATA)
    assert backend.asked == [(size - 1000, 1000), (500_000, 300_000), (1_000_000, 64 << 10)]


def test_what_is_asked_for_sync() -> None:
    """A large read through the buffer is asked for as a whole and alone."""
    backend = Metered()
    with Store(AsyncBackendSyncAdapter(backend)) as store:
        store.write("f", DATA)
        with store.open("f") as file:
            file.seek(-1000, 2)
            file.read()
            file.seek(500_000)
            file.read(300_001)
            file.seek(1_000_000)
            file.read(5)
    size = len(DATA)
    assert backend.asked == [(size - 1000, 1000), (500_000, 300_001), (1_000_000, 64 << 10)]


def test_ranges_grow_in_order() -> None:
    """From one block to all that follows; after a jump they begin anew."""
    block, mib = 64 << 10, 1 << 20
    place = Place(1 << 30, block, ranged=True)
    lengths = []
    for _ in range(3):
        start, length = place.ask(10)
        lengths.append(length)
        place.at = place.position = place.stop
        assert start + (length or 0) in (place.stop, start)
    assert lengths == [block, mib // 2, None]
    assert place.stop == 1 << 30
    place.seek(5, 0)
    assert place.ask(10) == (5, block)
    assert place.ask(mib) == (5, mib)


@pytest.mark.asyncio
async def test_who_begins_with_much_gets_all_in_one_request() -> None:
    """A file that is copied costs what `read` costs, and one look; elsewhere much is just that."""
    backend = Metered()
    store = AsyncStore(backend)
    await store.write("f", bytes(3 << 20))
    async with store.open("f") as file:
        assert [len(await file.read(1 << 20)) for _ in range(4)] == [1 << 20] * 3 + [0]
        await file.seek(1 << 20)
        await file.read(1 << 20)
    assert (backend.asked, backend.looks) == ([(0, None), (1 << 20, 1 << 20)], 1)


def test_who_begins_with_much_gets_all_in_one_request_sync() -> None:
    """The same through the buffer of a file of Python's."""
    backend = Metered()
    whole = bytes(3 << 20)
    with Store(AsyncBackendSyncAdapter(backend)) as store:
        store.write("f", whole)
        with store.open("f") as file:
            assert b"".join(iter(lambda: file.read(1 << 20), b"")) == whole
            file.seek(1 << 20)
            file.read(1 << 20)
    assert backend.asked == [(0, None), (1 << 20, 1 << 20)]


@pytest.mark.asyncio
async def test_a_large_read_takes_its_memory_once() -> None:
    """Small chunks go into one buffer, which is handed over; a chunk as wanted is not copied."""
    size, block = 8 << 20, 1 << 16
    handed: list[bytes] = []

    class Pieces(Metered):
        async def read_range(
            self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
        ) -> AsyncIterator[bytes]:
            for _ in range(start, size if length is None else start + length, block):
                handed[:] = [bytes(block)]
                yield handed[0]

    store = AsyncStore(Pieces())
    await store.write("f", bytes(size))
    async with store.open("f") as file:
        assert await file.read(block) is handed[0]
        await file.seek(0)
        tracemalloc.start()
        try:
            assert len(await file.read()) == size
            assert tracemalloc.get_traced_memory()[1] < 12 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.asyncio
async def test_closing_early_closes_what_is_read(store: AsyncStore) -> None:
    """A file that is left in the middle leaves nothing behind."""
    before = asyncio.all_tasks()
    async with store.open("a/b") as file:
        await file.read(1)
    file = store.open("a/b")
    await file.readline()
    await file.aclose()
    assert asyncio.all_tasks() == before


class Failing(Metered):
    """Breaks once in the middle of a range, or hangs there."""

    failures = 1
    hangs = False

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        part = self._part(path, start, length, if_match)
        yield part[:7]
        if self.failures:
            self.failures -= 1
            if self.hangs:
                await asyncio.sleep(60)
            raise BackendUnavailable("broke", path=path)
        yield part[7:]


@pytest.mark.asyncio
@pytest.mark.parametrize("hangs", [False, True])
async def test_a_file_can_be_read_on_after_a_failure(hangs: bool) -> None:
    """At the place where the read that failed, or was cancelled, began: no byte is lost."""
    backend = Failing()
    backend.hangs = hangs
    store = AsyncStore(backend)
    await store.write("f", DATA)
    async with store.open("f") as file:
        await file.seek(10)
        with pytest.raises(TimeoutError if hangs else BackendUnavailable):
            async with asyncio.timeout(0.1 if hangs else 10):
                await file.read(100)
        assert await file.tell() == 10
        assert await file.read(100) == DATA[10:110]


def test_a_file_can_be_read_on_after_a_failure_sync() -> None:
    """The same, where the failure is that of the first read."""
    with Store(AsyncBackendSyncAdapter(Failing())) as store:
        store.write("f", DATA)
        with store.open("f") as file:
            file.seek(10)
            with pytest.raises(BackendUnavailable):
                file.read(100)
            assert file.tell() == 10
            assert file.read(100) == DATA[10:110]


@pytest.mark.parametrize(
    "read",
    [lambda file: file.readline(), next, lambda file: b"".join(file.readlines(1))],
    ids=["readline", "next", "readlines"],
)
def test_lines_can_be_read_on_after_a_failure(read: Callable[[Any], bytes]) -> None:
    """A line whose second half failed comes whole, not without its first."""
    with Store(AsyncBackendSyncAdapter(Failing())) as store:
        store.write("f", DATA)
        with store.open("f") as file:
            with pytest.raises(BackendUnavailable):
                read(file)
            assert read(file) == DATA[:40]


def test_observed_lines_can_be_read_on_after_a_failure(listener: Listener) -> None:
    """The lines before the one that failed come again, too, and all are counted."""
    backend = Failing()
    with Store(AsyncBackendSyncAdapter(backend)) as store:
        store.write("f", DATA)
        with store.open("f", block_size=100) as file:
            backend.failures = 0
            assert file.readline() == DATA[:40]
            backend.failures = 1
            with pytest.raises(BackendUnavailable):
                file.readlines()
            assert b"".join(file.readlines(200)) == DATA[40:280]
    assert listener.events[-1].bytes == 40  # until it failed


def test_a_long_way_forward_takes_no_memory() -> None:
    """What lies between two places of a file that is read in order is dropped piece by piece."""
    whole = bytes(40 << 20)
    sync = AsyncBackendSyncAdapter(as_backend(Defaults()))
    with Store(sync) as store:
        store.write("f", whole)
        with store.open("f") as file:
            file.read(1)
            file.seek(-1, 2)
            tracemalloc.start()
            try:
                assert file.read() == b"\0"
                assert tracemalloc.get_traced_memory()[1] < 8 << 20
            finally:
                tracemalloc.stop()


def test_opening_what_is_missing_leaves_nothing_to_complain_of() -> None:
    """In Python's development mode a finaliser that fails is shown."""
    program = (
        "from remote_store import AsyncBackendSyncAdapter, NotFound, Store\n"
        "from remote_store_memory import AsyncMemoryBackend\n"
        "with Store(AsyncBackendSyncAdapter(AsyncMemoryBackend())) as store:\n"
        "    try:\n"
        "        store.open('missing')\n"
        "    except NotFound:\n"
        "        pass\n"
    )
    command = [sys.executable, "-P", "-X", "dev", "-c", program]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""


def test_a_block_larger_than_the_file_takes_no_memory() -> None:
    """A buffer holds what there is, and not what might be."""
    with Store(AsyncBackendSyncAdapter(AsyncMemoryBackend())) as store:
        store.write("f", b"abc")
        with store.open("f", block_size=1 << 50) as file:
            assert file.read() == b"abc"


def test_without_a_size_a_seekable_file_is_a_copy() -> None:
    """Ranges need the size: a backend that does not tell it is read to the end, as before."""
    sync = AsyncBackendSyncAdapter(AsyncMemoryBackend())
    sync.write("f", DATA)
    sync._capabilities = CapabilitySet(set(sync.capabilities) - {Capability.METADATA})
    with Store(sync) as store, store.read_seekable("f") as file:
        assert "Spool" in type(file).__name__
        assert file.seek(-4, 2) == len(DATA) - 4
        assert file.read() == b"tail"
