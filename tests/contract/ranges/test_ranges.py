"""Parts of files, through both stores and each way to a backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.contract.probes import Listener, Recorder, as_backend
from tests.contract.ranges.parts import DATA, Defaults, Metered
from tests.contract.reference import DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Backend,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    Store,
)
from remote_store.aio import AsyncBackend, AsyncStore
from remote_store_memory import AsyncMemoryBackend

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
