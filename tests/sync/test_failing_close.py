"""What a store makes of a backend's iterator that fails when it is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.probes import as_backend as as_async_backend
from tests.contract.reference import DictBackend as AsyncDictBackend
from tests.sync.reference import DictBackend, as_backend

from remote_store import Capability, CapabilitySet, FileInfo, FolderEntry, RemotePath, Store
from remote_store._types.models import UNKNOWN_TIME
from remote_store.aio import AsyncStore

FILE = FileInfo(RemotePath("f"), "f", 1, UNKNOWN_TIME)
FOLDER = FolderEntry(RemotePath("d"), "d")
BROKEN = OSError("close")


class Items:
    """An iterator, sync and async, whose close fails."""

    def __init__(self, item: Any, error: Exception | None) -> None:
        self.left = [item, item]
        self.error = error

    def __iter__(self) -> Any:
        return self

    __aiter__ = __iter__

    def __next__(self) -> Any:
        if self.left:
            return self.left.pop()
        raise self.error or StopIteration

    async def __anext__(self) -> Any:
        if self.left:
            return self.left.pop()
        raise self.error or StopAsyncIteration

    def close(self) -> None:
        raise BROKEN

    async def aclose(self) -> None:
        raise BROKEN


CALLS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "list_files": (FILE, lambda store: store.list_files("")),
    "list_folders": (FOLDER, lambda store: store.list_folders("")),
    "iter_children": (FILE, lambda store: store.iter_children("")),
    "glob": (FILE, lambda store: store.glob("*")),
    "read": (b"1", lambda store: store.read("f")),
}


def made(name: str, error: Exception | None, asynchronous: bool) -> Any:
    item, call = CALLS[name]
    kind: Any = AsyncDictBackend if asynchronous else DictBackend
    backend: Any = type("Capable", (kind,), {"capabilities": CapabilitySet(Capability)})()
    setattr(backend, name, lambda *args, **options: Items(item, error))
    store: Any = (
        AsyncStore(as_async_backend(backend)) if asynchronous else Store(as_backend(backend))
    )
    return call(store)


async def all_of(items: Any, found: list[Any]) -> None:
    async with contextlib.aclosing(items):
        async for item in items:
            found.append(item)  # noqa: PERF401 - what came before an error counts


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("error", [None, ValueError("mine")])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_close_that_fails(name: str, error: Exception | None, asynchronous: bool) -> None:
    """What was handed out is complete without it, and the error of the iterator is not hidden."""
    if name == "read" and not asynchronous:
        return  # a sync read is the backend's own stream
    found: list[Any] = []
    with pytest.raises(ValueError, match="mine") if error else contextlib.nullcontext():
        if asynchronous:
            asyncio.run(all_of(made(name, error, asynchronous), found))
        else:
            for item in made(name, error, asynchronous):
                found += [item]
    assert len(found) == 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_leaving_early(asynchronous: bool) -> None:
    """Neither does it keep anybody from leaving."""
    items = made("list_files", None, asynchronous)
    if asynchronous:

        async def leave() -> None:
            await anext(items)
            await items.aclose()

        asyncio.run(leave())
    else:
        next(items)
        items.close()
