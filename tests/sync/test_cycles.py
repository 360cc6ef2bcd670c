"""Failures in both bridges: an error that was dealt with is gone, without the garbage collector."""

from __future__ import annotations

import contextlib
import gc
import io
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.contract.gates import is_gone, wait_until
from tests.contract.probes import CallerError
from tests.sync.reference import DictBackend, as_backend

from remote_store import AsyncBackendSyncAdapter, Store
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend


class Broken(DictBackend):
    """Its streams and listings fail after their first piece."""

    def read(self, path: str) -> Any:
        class Stream(io.RawIOBase):
            pieces = iter([b"1"])

            def read(self, size: int = -1) -> bytes:
                for piece in self.pieces:
                    return piece
                raise CallerError

        return Stream()

    def list_files(self, path: str, **options: Any) -> Iterator[Any]:
        yield from super().list_files(path)
        raise CallerError


async def failing() -> AsyncIterator[bytes]:
    yield b"1"
    raise CallerError


def failing_too() -> Iterator[bytes]:
    yield b"1"
    raise CallerError


class FailingFile:
    def read(self, size: int) -> bytes:
        raise CallerError


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.long
@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("side", "what"),
    [("sync", what) for what in ("failing", "failing_too", "file", "read", "list")]
    + [("async", what) for what in ("failing_too", "file")],
)
async def test_async_store(side: str, what: str) -> None:
    """A failed write, read or listing of an async store leaves no cycle around its error."""
    backend: Any = AsyncMemoryBackend() if side == "async" else Broken({"z": b"1"})
    store = AsyncStore(backend)
    error = None
    try:
        match what:
            case "failing":
                await store.write("n", failing())
            case "failing_too":
                await store.write("n", failing_too())
            case "file":
                await store.write("n", FailingFile())
            case "read":
                [chunk async for chunk in store.read("z")]
            case _:
                [file async for file in store.list_files("")]
    except CallerError as raised:
        error = weakref.ref(raised)
    assert error is not None
    assert await is_gone(error)
    await store.aclose()


@pytest.mark.long
@pytest.mark.parametrize("side", ["sync", "async"])
@pytest.mark.parametrize("source", [failing_too, FailingFile])
def test_sync_store(side: str, source: Any) -> None:
    """So does a failed write of a sync store."""
    backend: Any = as_backend(DictBackend())
    if side == "async":
        backend = AsyncBackendSyncAdapter(AsyncMemoryBackend())
    error = None
    with Store(backend) as store:
        with contextlib.suppress(CallerError):
            try:
                store.write("n", source())
            except CallerError as raised:
                error = weakref.ref(raised)
                raise
        assert error is not None
        assert wait_until(lambda: error() is None)
