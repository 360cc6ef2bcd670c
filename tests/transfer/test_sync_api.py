"""The sync API, and the forms for single files."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import remote_store_transfer as sync
from remote_store import (
    AlreadyExists,
    ContentDigest,
    ContentHeaders,
    NotFound,
    RemoteStoreError,
    Store,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store_local import LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend
from remote_store_transfer import aio


def test_both_apis_have_the_same_names() -> None:
    """Each public name is in both, and `__all__` is sorted."""
    assert aio.__all__ == sync.__all__ == sorted(sync.__all__)
    assert all(hasattr(module, name) for module in (sync, aio) for name in module.__all__)


def test_trees(tmp_path: Path) -> None:
    """Plan, execute, copy, synchronise and verify, with stores that block."""
    source, target = Store(MemoryBackend()), Store(LocalBackend(tmp_path))
    source.write("d/a", b"1")
    source.write("large", b"2" * (3 << 20))

    with sync.plan(source, target) as actions:
        assert ["large", "d/a"] == [action.path for action in actions]
        assert actions.totals.copy == 2
        assert sync.execute(actions).copied == 2
    assert sync.copy_tree(source, target).skipped == 2
    target.write("old", b"1")
    assert sync.sync_tree(source, target, delete=True).deleted == 1
    assert sync.verify_tree(source, target).ok
    sync.copy_between(source, "large", target, "x")
    assert (tmp_path / "x").read_bytes() == b"2" * (3 << 20)
    source.close()
    target.close()


def test_content_headers_go_along() -> None:
    """As between async stores."""
    source, target = Store(MemoryBackend()), Store(MemoryBackend())
    headers = ContentHeaders(content_type="text/csv", content_encoding="gzip")
    source.write("a", b"1", headers=headers)

    sync.sync_tree(source, target)

    assert target.get_file_info("a").headers == headers


def test_no_thread_is_left() -> None:
    """The threads of a call end with it, at once or as soon as they hear of it."""
    before = set(threading.enumerate())
    source, target = Store(MemoryBackend()), Store(MemoryBackend())
    source.write("a", b"1")
    sync.sync_tree(source, target)

    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("remote-store-memory"):
            thread.join(5)
            assert not thread.is_alive(), thread


def test_misuse_is_refused() -> None:
    """Not within a loop, and not with async stores."""
    store, other = Store(MemoryBackend()), Store(MemoryBackend())

    async def call() -> None:
        sync.sync_tree(store, other)

    with pytest.raises(RuntimeError, match="aio"):
        asyncio.run(call())
    with pytest.raises(TypeError, match="aio"):
        sync.sync_tree(AsyncStore(AsyncMemoryBackend()), other)  # type: ignore[arg-type]


def test_the_two_apis_are_told_apart() -> None:
    """Before any I/O, and with the name of what is meant."""
    store, other = Store(MemoryBackend()), Store(MemoryBackend())
    ours, theirs = (AsyncStore(AsyncMemoryBackend()) for _ in "12")

    calls: list[Any] = [
        lambda: aio.plan(store, theirs),  # type: ignore[arg-type]
        lambda: aio.plan(ours, other),  # type: ignore[arg-type]
        lambda: asyncio.run(aio.delete_many(store, ["a"])),  # type: ignore[arg-type]
        lambda: asyncio.run(aio.copy_between(ours, "a", other, "a")),  # type: ignore[arg-type]
        lambda: asyncio.run(aio.write_with_digest(store, "a", b"")),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(TypeError, match="a sync store is for remote_store_transfer"):
            call()
    with pytest.raises(TypeError, match="same module"):
        sync.execute(aio.plan(ours, theirs))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="same module"):
        asyncio.run(aio.execute(sync.plan(store, other)))  # type: ignore[arg-type]


def test_delete_many() -> None:
    """One result for each path, in their order."""
    store = Store(MemoryBackend())
    store.write("a", b"1")
    store.write("c", b"1")

    results = sync.delete_many(store, ["a", "b", "c"])

    assert [r.path for r in results] == ["a", "b", "c"]
    assert [r.ok for r in results] == [True, False, True]
    assert isinstance(results[1].error, NotFound)
    assert all(r.ok for r in sync.delete_many(store, ["a"], missing_ok=True))
    assert sync.delete_many(store, []) == []


@pytest.mark.parametrize("is_async", [True, False])
def test_folders_of_one_backend_that_overlap_are_refused(is_async: bool) -> None:
    """A backend need not say where it is: stores that were made from one another tell."""
    api: Any = aio if is_async else sync
    whole, other = (
        AsyncStore(AsyncMemoryBackend()) if is_async else Store(MemoryBackend()) for _ in "12"
    )
    a = whole.child("a")

    for source, target, folder in ((a, whole, ""), (whole, a, ""), (a, whole.child("a/b"), "")):
        with pytest.raises(ValueError, match="lies in the other"):
            api.plan(source, target, target_path=folder, delete=True)
    with pytest.raises(ValueError, match="lies in the other"):
        api.plan(a, whole, paths=["f"], target_path="a")
    for target in (other, other.child("a"), whole.child("ab"), whole.child("b/a")):
        api.plan(a, target)


def test_one_path_is_not_taken_for_several() -> None:
    """Its characters could be files."""
    store = Store(MemoryBackend())
    store.write("a", b"1")

    with pytest.raises(TypeError, match="several"):
        sync.delete_many(store, "a")
    with pytest.raises(TypeError, match="several"):
        sync.plan(store, Store(MemoryBackend()), paths="a")
    assert store.exists("a")


def test_a_digest_of_any_length_is_refused() -> None:
    """Before anything is written."""
    store = Store(MemoryBackend())
    with pytest.raises(ValueError, match="shake_128"):
        sync.write_with_digest(store, "a", b"1", algorithm="shake_128")
    assert not store.exists("a")


def test_a_closed_plan_is_not_executed() -> None:
    """It is empty by then, and the report would say that all is well."""
    source, target = Store(MemoryBackend()), Store(MemoryBackend())
    source.write("a", b"1")
    with sync.plan(source, target) as actions:
        actions.prepare()

    with pytest.raises(ValueError, match="closed"):
        sync.execute(actions)
    assert not target.exists("a")


async def _async_chunks() -> AsyncIterator[bytes]:
    yield b"12"
    yield b"345"


def _chunks() -> Iterator[bytes]:
    yield b"12"
    yield b"345"


class _AsyncFile:
    def __init__(self) -> None:
        self._file = io.BytesIO(b"12345")

    async def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "content",
    [
        lambda: b"12345",
        lambda: bytearray(b"12345"),
        lambda: memoryview(b"12345"),
        lambda: io.BytesIO(b"12345"),
        _AsyncFile,
        _chunks,
        _async_chunks,
        lambda: [b"123", b"45"],
    ],
)
async def test_write_with_digest(content: Callable[[], Any]) -> None:
    """Of every form of content, in one pass, with the algorithm that is asked for."""
    store = AsyncStore(AsyncMemoryBackend())

    result = await aio.write_with_digest(store, "a", content(), algorithm="sha1")

    assert result.digest is not None
    assert (result.digest.algorithm, result.digest.value, result.size) == (
        "sha1",
        hashlib.sha1(b"12345").hexdigest(),
        5,
    )
    assert await store.read_bytes("a") == b"12345"
    with pytest.raises(AlreadyExists):
        await aio.write_with_digest(store, "a", content())


@pytest.mark.asyncio
@pytest.mark.parametrize("content", ["text", None, 5, io.StringIO("text")])
async def test_write_with_digest_refuses_what_a_write_refuses(content: Any) -> None:
    """With the store's own error, and no file."""
    store = AsyncStore(AsyncMemoryBackend())
    with pytest.raises(TypeError):
        await aio.write_with_digest(store, "a", content)
    assert not await store.exists("a")


@pytest.mark.asyncio
async def test_write_with_digest_believes_no_other_digest() -> None:
    """The service's own of the same algorithm has to be ours."""

    class Damaging(AsyncMemoryBackend):
        async def write(self, path: str, content: Any, **options: Any) -> WriteResult:
            result = await super().write(path, content, **options)
            return evolve(result, digest=ContentDigest("md5", "0" * 32))

    store = AsyncStore(Damaging())
    with pytest.raises(RemoteStoreError, match="reports 0000") as caught:
        await aio.write_with_digest(store, "a", b"1", algorithm="md5")
    assert caught.value.outcome_unknown
    assert (await aio.write_with_digest(store, "b", b"1")).digest is not None


def test_numbers_out_of_range_are_refused() -> None:
    """Before any call."""
    store, other = Store(MemoryBackend()), Store(MemoryBackend())
    for option in ("concurrency", "max_bytes_in_flight"):
        with pytest.raises(ValueError, match=option):
            sync.sync_tree(store, other, **{option: 0})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="retries"):
        sync.sync_tree(store, other, retries=-1)
    with pytest.raises(ValueError, match="retries"):
        sync.copy_between(store, "a", other, "a", retries=-1)
    with pytest.raises(ValueError, match="concurrency"):
        sync.delete_many(store, ["a"], concurrency=0)


def test_a_plan_tells_what_was_left_out_and_what_failed() -> None:
    """The sync plan has what the async one has; a digest comes with a sync write, too."""
    source, target = Store(MemoryBackend()), Store(MemoryBackend())
    written = sync.write_with_digest(source, "a", b"1")
    assert written.digest is not None
    assert written.digest.value == hashlib.sha256(b"1").hexdigest()

    actions = sync.plan(source, target).prepare()

    assert (actions.failures, actions.links_left_out, actions.names_left_out) == ((), 0, False)
    assert actions.totals.size == 1
