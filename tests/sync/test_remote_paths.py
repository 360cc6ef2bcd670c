"""Every path parameter of both stores takes a RemotePath for its text."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.probes import Listener

from remote_store import (
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
    Store,
    StoreProfile,
    aio,
    glob_files,
    open_store,
)
from remote_store._plugins.hooks import register_plugin, unregister_plugin
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

ARGUMENTS: dict[str, list[Any]] = {
    "write": [b"1"],
    "write_atomic": [b"1"],
    "write_text": ["1"],
    "read_range": [0],
    "read_ranges": [[(0, 1)]],
}
METHODS = sorted(
    name
    for name, function in vars(Store).items()
    if inspect.isfunction(function)
    and not name.startswith("_")
    and name not in ("to_key", "open_atomic", "read_seekable", "copy_from")
    and {"path", "src", "key", "subpath"} & set(inspect.signature(function).parameters)
)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Hears what stores do."""
    listener = Listener()
    register_plugin(listener)
    yield listener
    unregister_plugin(listener)


def made(cls: type[Any]) -> Any:
    store = cls(MemoryBackend() if cls is Store else AsyncMemoryBackend(), "root")
    for name in ("a/b", "c"):
        answer(store.write(name, b"12"))
    return store


def answer(result: Any) -> Any:
    """Return what a call of either store comes to."""

    async def gathered() -> Any:
        if inspect.isawaitable(result):
            return await result
        return [item async for item in result]

    if inspect.isawaitable(result) or hasattr(result, "__anext__"):
        return asyncio.run(gathered())
    if inspect.isgenerator(result):
        return list(result)
    if hasattr(result, "readable"):
        with result:
            return result.read()
    return result


def outcome(store: Any, name: str, path: Any, kind: Callable[[str], Any]) -> Any:
    arguments = ARGUMENTS.get(name, [])
    if name in ("move", "copy"):
        arguments = [kind("new")]
    options = {"expires": 60} if name == "signed_url" else {}
    try:
        return answer(getattr(store, name)(path, *arguments, **options))
    except RemoteStoreError as error:
        return type(error), type(error.path), str(error)


def shown(result: Any) -> str:
    """Return a text without what differs from store to store."""
    if isinstance(result, (Store, AsyncStore)):
        return repr(result)
    return repr(
        [getattr(item, "path", item) for item in (result if type(result) is list else [result])]
    )


@pytest.mark.parametrize("cls", [Store, AsyncStore])
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "path", [RemotePath("a/b"), RemotePath("a"), RemotePath("x"), RemotePath.ROOT]
)
def test_path_is_its_text(cls: type[Any], name: str, path: RemotePath, listener: Listener) -> None:
    """Answers, errors and events are those of the text."""
    results = []
    for kind in (str, RemotePath):
        listener.events.clear()
        store = made(cls)
        listener.events.clear()
        result = outcome(store, name, kind(path) if kind is str else path, kind)
        results.append((shown(result), [(e.name, e.path, e.outcome) for e in listener.events]))
        assert all(type(event.path) is str for event in listener.events)
    assert results[0] == results[1]


def test_sync_only() -> None:
    """So do the two methods that only the sync store has, and the root of a store."""
    store = Store(MemoryBackend(), RemotePath("root"))
    with store.open_atomic(RemotePath("a")) as file:
        file.write(b"1")
    with store.read_seekable(RemotePath("a")) as stream:
        assert stream.read() == b"1"
    assert store.child(RemotePath("d")) == Store(store._backend, "root/d")
    with pytest.raises(InvalidPath):
        Store(MemoryBackend(), RemotePath.ROOT)
    with pytest.raises(NotFound) as caught:
        store.copy(RemotePath("x"), RemotePath("x"))
    assert caught.value.path == "x"
    assert StoreProfile("b", RemotePath("root")) == StoreProfile("b", "root")


#: Parameters that take text and are no path of a store.
TEXTS = {
    *("encoding", "errors", "if_match", "metadata", "name", "pattern", "stem", "suffix"),
    *("target", "text"),
}
#: Paths in the backend's own notation, which is not a store's.
NATIVE = {("Store.to_key", "path"), ("AsyncStore.to_key", "path")}
FUNCTIONS = {
    f"{cls.__name__}.{name}": function
    for cls in (Store, AsyncStore, RemotePath)
    for name, function in vars(cls).items()
    if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_"))
} | {
    f"{function.__module__}.{function.__name__}": function
    for function in (glob_files, open_store, aio.glob_files, aio.open_store)
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_take_what_results_carry(name: str) -> None:
    """No public method of a store or a path, nor a helper, takes a path as text alone."""
    for parameter in inspect.signature(FUNCTIONS[name]).parameters.values():
        said = str(parameter.annotation)
        if re.search(r"\bstr\b", said) and (name, parameter.name) not in NATIVE:
            is_path = bool(re.search(r"\bRemotePath\b", said))
            assert is_path is (parameter.name not in TEXTS), parameter


def test_signatures_are_there() -> None:
    """The table holds the methods of all classes."""
    assert {"Store.move", "AsyncStore.child", "RemotePath.joinpath"} <= set(FUNCTIONS)
    assert {"AsyncStore.read", "Store.__init__", "Store.open_atomic"} <= set(FUNCTIONS)
