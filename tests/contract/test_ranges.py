"""Parts of files, through both stores and each way to a backend."""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.contract.probes import Listener, Recorder, as_backend
from tests.contract.reference import DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Backend,
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    Store,
    register_plugin,
    unregister_plugin,
)
from remote_store._contract.ranges import Place
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

#: More than one chunk of every backend, and no two parts alike.
DATA = b"".join(b"%039d\n" % i for i in range(60_000)) + b"tail"


class Defaults(DictBackend):
    """Of the first contract: parts are read and skipped, versions asked for."""

    def read(self, path: str) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            content = await self.read_bytes(path)
            for i in range(0, len(content), 50_000):
                yield content[i : i + 50_000]

        return pieces()


ASYNC: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: AsyncMemoryBackend(),
    "local": AsyncLocalBackend,
    "default": lambda _: as_backend(Defaults()),
    "sync local": lambda root: SyncBackendAdapter(LocalBackend(root)),
    "bridges": lambda _: SyncBackendAdapter(AsyncBackendSyncAdapter(AsyncMemoryBackend())),
}
SYNC: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda _: MemoryBackend(),
    "local": LocalBackend,
    "async memory": lambda _: AsyncBackendSyncAdapter(AsyncMemoryBackend()),
    "async local": lambda root: AsyncBackendSyncAdapter(AsyncLocalBackend(root)),
    "default": lambda _: AsyncBackendSyncAdapter(as_backend(Defaults())),
}


@pytest_asyncio.fixture(params=ASYNC)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncStore]:
    """A store below a root, with one file."""
    async with AsyncStore(ASYNC[request.param](tmp_path), "root") as store:
        await store.write("a/b", DATA)
        yield store


@pytest.fixture(params=SYNC)
def sync_store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The same, sync."""
    with Store(SYNC[request.param](tmp_path), "root") as store:
        store.write("a/b", DATA)
        yield store


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Hears what stores do."""
    listener = Listener()
    register_plugin(listener)
    yield listener
    unregister_plugin(listener)


PARTS: list[tuple[Any, bytes]] = [
    ({"start": 0}, DATA),
    ({"start": 10, "length": 5}, DATA[10:15]),
    ({"start": 999, "end": 2_001}, DATA[999:2001]),
    ({"start": 1_500_000, "length": 10**6}, DATA[1_500_000:]),
    ({"start": -4}, b"tail"),
    ({"start": -6, "length": 3}, DATA[-6:-3]),
    ({"start": -(10**9), "length": 2}, DATA[:2]),
    ({"start": len(DATA)}, b""),
    ({"start": 10**9, "length": 1}, b""),
    ({"start": 10**30}, b""),
    ({"start": 2_399_000, "end": 10**30}, DATA[2_399_000:]),
    ({"start": 2_399_000, "length": 10**30}, DATA[2_399_000:]),
    ({"start": 7, "length": 0}, b""),
    ({"start": 7, "end": 7}, b""),
]
RANGES = [(0, 3), (900_000, 900_010), (2, 8), (5, 5), (10**8, 10**8 + 1), (len(DATA) - 2, 10**9)]


@pytest.mark.asyncio
async def test_read_range(store: AsyncStore) -> None:
    """What is there of the part, whichever way it is named, also of one version."""
    etag = (await store.get_file_info("a/b")).etag
    for given, expected in PARTS:
        assert await store.read_range("a/b", **given) == expected
        if etag is not None:
            assert await store.read_range("a/b", **given, if_match=etag) == expected
    found = await store.read_ranges("a/b", RANGES)
    assert found == [DATA[start:end] for start, end in RANGES]
    assert await store.read_ranges("a/b", [(5, 5)]) == [b""]
    assert await store.read_ranges("a/b", []) == []
    await store.write("empty", b"")
    assert await store.read_range("empty", 0) == await store.read_range("empty", -3) == b""


def test_read_range_sync(sync_store: Store) -> None:
    """The same of a sync store."""
    etag = sync_store.get_file_info("a/b").etag
    for given, expected in PARTS:
        assert sync_store.read_range("a/b", **given) == expected
        if etag is not None:
            assert sync_store.read_range("a/b", **given, if_match=etag) == expected
    found = sync_store.read_ranges("a/b", RANGES)
    assert found == [DATA[start:end] for start, end in RANGES]


@pytest.mark.asyncio
async def test_errors_are_those_of_a_read(store: AsyncStore) -> None:
    """A missing file and a folder are told for every range, empty ones too, and with any ETag."""
    for given, _ in PARTS:
        more: Any
        for more in ({}, {"if_match": "etag"}):
            with pytest.raises(NotFound):
                await store.read_range("missing", **given, **more)
            with pytest.raises(InvalidPath):
                await store.read_range("a", **given, **more)
    for ranges in ([(0, 1)], [(3, 3)], [(0, 1), (10**6, 10**7)]):
        with pytest.raises(NotFound):
            await store.read_ranges("missing", ranges)
    with pytest.raises(NotFound):
        async with store.open("missing"):
            pass
    with pytest.raises(InvalidPath):
        await store.open("a").read()


@pytest.mark.asyncio
async def test_only_the_version_that_was_asked_for(store: AsyncStore) -> None:
    """Every way to read refuses another version; nothing of it is handed out."""
    for call in (
        store.read_range("a/b", 0, if_match="other"),
        store.read_range("a/b", -3, if_match="other"),
        store.read_ranges("a/b", RANGES, if_match="other"),
        anext(store.read("a/b", if_match="other")),
    ):
        with pytest.raises(PreconditionFailed):
            await call
    etag = (await store.get_file_info("a/b")).etag
    if etag is not None:
        assert b"".join([c async for c in store.read("a/b", if_match=etag)]) == DATA


def test_only_the_version_that_was_asked_for_sync(sync_store: Store) -> None:
    """The same of a sync store."""
    with pytest.raises(PreconditionFailed):
        sync_store.read("a/b", if_match="other").read()
    with pytest.raises(PreconditionFailed):
        sync_store.read_range("a/b", 1, if_match="other")
    etag = sync_store.get_file_info("a/b").etag
    if etag is not None:
        with sync_store.read("a/b", if_match=etag) as stream:
            assert stream.read() == DATA


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"start": 0, "length": 1, "end": 1}, ValueError),
        ({"start": 0, "length": -1}, ValueError),
        ({"start": 5, "end": 4}, ValueError),
        ({"start": -5, "end": 4}, ValueError),
        ({"start": "0"}, TypeError),
        ({"start": 0.0}, TypeError),
        ({"start": 0, "length": 1.5}, TypeError),
        ({"start": 0, "if_match": ""}, ValueError),
        ({"start": 0, "if_match": '"quoted"'}, ValueError),
        ({"start": 0, "if_match": "*"}, ValueError),
        ({"start": 0, "if_match": "a\nb"}, ValueError),
        ({"start": 0, "if_match": 5}, TypeError),
    ],
)
async def test_wrong_arguments_before_anything(given: Any, error: type[Exception]) -> None:
    """They are refused by the store."""
    backend = Recorder(DictBackend())
    store = AsyncStore(as_backend(backend))
    with pytest.raises(error):
        await store.read_range("f", **given)
    for ranges in ([(-1, 2)], [(2, 1)]):
        with pytest.raises(ValueError, match="start"):
            await store.read_ranges("f", ranges)
    wrong: Any
    for wrong in ([(1,)], [1], [("a", 2)], [(1, 2, 3)]):
        with pytest.raises(TypeError, match="pair"):
            await store.read_ranges("f", wrong)
    with pytest.raises(ValueError, match="gap"):
        await store.read_ranges("f", [(0, 1)], gap=-1)
    with pytest.raises(TypeError):
        await store.read_ranges("f", [(0, 1)], gap=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="block_size"):
        store.open("f", block_size=0)
    with pytest.raises(TypeError):
        store.open("f", block_size=1.5)  # type: ignore[arg-type]
    assert backend.calls == []


@pytest.mark.asyncio
async def test_a_suffix_and_a_version_need_metadata() -> None:
    """They are asked for; a plain range needs READ alone."""
    backend = Recorder(Defaults(), CapabilitySet({Capability.READ, Capability.WRITE}))
    store = AsyncStore(as_backend(backend))
    await store.write("f", b"abc")
    assert await store.read_range("f", 1) == b"bc"
    for call in (
        store.read_range("f", -1),
        store.read_range("f", 0, if_match="x"),
        store.read_ranges("f", [(0, 1)]),
    ):
        with pytest.raises(CapabilityNotSupported) as refused:
            await call
        assert refused.value.capability == "metadata"
    with pytest.raises(CapabilityNotSupported):
        store.open("f")


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


class Metered(AsyncMemoryBackend):
    """Notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int | None]] = []
        self.looks = 0

    async def get_file_info(self, path: str) -> Any:
        self.looks += 1
        return await super().get_file_info(path)

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        self.asked.append((start, length))
        yield self._part(path, start, length, if_match)


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
    """From one block to all that follows; after a jump it begins anew."""
    block, mib = 64 << 10, 1 << 20
    place = Place(1 << 30, block, ranged=True)
    lengths = []
    for _ in range(4):
        start, length = place.ask(10)
        lengths.append(length)
        place.at = place.position = place.stop
        assert start + (length or 0) in (place.stop, start)
    assert lengths == [block, mib // 2, 4 * mib, None]
    assert place.stop == 1 << 30
    place.seek(5, 0)
    assert place.ask(10) == (5, block)


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


@pytest.mark.asyncio
async def test_a_failing_range_ends_the_others() -> None:
    """The first error is raised when no other fetch is running any more."""
    running = 0

    class Gone(Metered):
        async def read_range(
            self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
        ) -> AsyncIterator[bytes]:
            nonlocal running
            running += 1
            try:
                await asyncio.sleep(0 if start == 0 else 10)
                raise NotFound("gone", path=path)
                yield b""
            finally:
                running -= 1

    store = AsyncStore(Gone())
    await store.write("f", DATA)
    with pytest.raises(NotFound, match="gone"):
        await store.read_ranges("f", [(i * 200_000, i * 200_000 + 5) for i in range(12)])
    assert running == 0


def test_default_of_an_incomplete_protocol() -> None:
    """AsyncBackend itself has the member, so that a class which inherits is complete."""
    assert "read_range" not in AsyncBackend.__abstractmethods__
    assert "read_range" not in Backend.__abstractmethods__


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


class Whole(Metered):
    """Ignores what part is asked for, as some servers do."""

    async def read_range(
        self, path: str, start: int, *, length: int | None = None, if_match: str | None = None
    ) -> AsyncIterator[bytes]:
        yield await self.read_bytes(path)


@pytest.mark.parametrize("ranges", [[(10, 20)], [(10, 20), (900_000, 900_010)], [(5, 5)]])
def test_the_whole_file_is_not_taken_for_a_part(ranges: list[tuple[int, int]]) -> None:
    """More bytes than were asked for may begin anywhere."""

    async def read() -> None:
        store = AsyncStore(Whole())
        await store.write("f", DATA)
        with pytest.raises(RemoteStoreError, match="of a range of"):
            await store.read_ranges("f", ranges)

    asyncio.run(read())
    with Store(AsyncBackendSyncAdapter(Whole())) as sync:
        sync.write("f", DATA)
        with pytest.raises(RemoteStoreError, match="of a range of"):
            sync.read_ranges("f", ranges)
        with pytest.raises(RemoteStoreError, match="of a range of"):
            sync.read_range("f", 10, length=5)


@pytest.mark.asyncio
async def test_events_of_reading_parts(listener: Listener) -> None:
    """Each call is one event with its bytes; an open file one until it is closed."""
    store = AsyncStore(AsyncMemoryBackend(), "root")
    await store.write("f", DATA)
    listener.events.clear()
    await store.read_range("f", 5, length=10)
    await store.read_ranges("f", [(0, 5), (900_000, 900_010)])
    async with store.open("f") as file:
        await file.read(7)
        await file.readline()
        assert len(listener.events) == 2
    with pytest.raises(NotFound):
        async with store.open("missing"):
            pass
    found = [(e.name, e.path, e.bytes, e.outcome) for e in listener.events]
    assert found == [
        ("read_range", "f", 10, "ok"),
        ("read_ranges", "f", 15, "ok"),
        ("open", "f", 40, "ok"),
        ("open", "missing", None, "error"),
    ]


def test_events_of_reading_parts_sync(listener: Listener) -> None:
    """The same of a sync store."""
    with Store(AsyncBackendSyncAdapter(AsyncMemoryBackend()), "root") as store:
        store.write("f", DATA)
        listener.events.clear()
        store.read_range("f", 5, length=10)
        with store.open("f") as file:
            file.read(7)
    assert [(e.name, e.bytes) for e in listener.events] == [("read_range", 10), ("open", 7)]


def test_without_a_size_a_seekable_file_is_a_copy() -> None:
    """Ranges need the size: a backend that does not tell it is read to the end, as before."""
    sync = AsyncBackendSyncAdapter(AsyncMemoryBackend())
    sync.write("f", DATA)
    sync._capabilities = CapabilitySet(set(sync.capabilities) - {Capability.METADATA})
    with Store(sync) as store, store.read_seekable("f") as file:
        assert "Spool" in type(file).__name__
        assert file.seek(-4, 2) == len(DATA) - 4
        assert file.read() == b"tail"
