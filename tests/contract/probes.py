"""Wrappers and sources that watch what a store does; none of them inherits from a protocol."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar, cast

from attrs import define, field

from remote_store import Capability, CapabilitySet
from remote_store._plugins.hooks import OperationEvent, hookimpl
from remote_store.aio import AsyncBackend, AsyncStore

__all__ = [
    "LISTINGS",
    "CallerError",
    "Listener",
    "Recorder",
    "Source",
    "Watched",
    "WatchedReads",
    "as_backend",
    "collect",
    "drain",
    "in_new_loop",
    "names",
    "without",
]

T = TypeVar("T")

LISTINGS = ("list_files", "list_folders", "iter_children", "glob")


class CallerError(Exception):
    """An exception that no library knows."""


def as_backend(backend: object) -> AsyncBackend:
    """Tell the type checker that *backend* matches by its members."""
    return cast("AsyncBackend", backend)


async def collect(items: AsyncIterator[T]) -> list[T]:
    """Return all items."""
    return [item async for item in items]


async def drain(answer: AsyncIterator[Any] | Awaitable[Any]) -> Any:
    """Await a coroutine, or pull an iterator to its end."""
    if inspect.isawaitable(answer):
        return await answer
    return await collect(answer)


def in_new_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* in a loop that leaves the thread's own loop setting alone."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def names(store: AsyncStore) -> list[str]:
    """Return the sorted paths of all files."""
    return sorted([str(f.path) for f in await collect(store.list_files("", recursive=True))])


class Recorder:
    """Delegates every attribute and notes each call as ``(name, args, kwargs)``."""

    def __init__(self, backend: object, capabilities: CapabilitySet | None = None) -> None:
        self._backend = backend
        self._capabilities = capabilities
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        if name == "capabilities" and self._capabilities is not None:
            return self._capabilities
        value = getattr(self._backend, name)
        if not callable(value):
            return value

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            return await value(*args, **kwargs)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            return value(*args, **kwargs)

        # A coroutine function must look like one: a store may tell sync from async by it.
        return call_async if inspect.iscoroutinefunction(value) else call

    @property
    def names(self) -> list[str]:
        """Names of the calls so far."""
        return [name for name, _, _ in self.calls]


def without(backend: object, *missing: Capability) -> Recorder:
    """Return *backend* with some capabilities undeclared."""
    return Recorder(backend, CapabilitySet(set(Capability) - set(missing)))


@define
class Source:
    """
    An async generator of chunks with a memory of how it ended.

    Args:
        chunks: What it yields.
        error: What it raises after them.
        stall: Wait forever after the chunks, until cancelled.
    """

    chunks: Iterable[bytes] = (b"one", b"two")
    error: BaseException | None = None
    stall: bool = False
    pulled: int = field(default=0, init=False)
    closed: bool = field(default=False, init=False)
    stalled: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def open(self) -> AsyncIterator[bytes]:
        """Yield the chunks."""
        try:
            for chunk in self.chunks:
                self.pulled += 1
                yield chunk
            if self.stall:
                self.stalled.set()
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


@define
class Watched:
    """
    An inner iterator with flags; its clean-up takes a turn of the loop, as real ones do.

    Args:
        items: What it yields.
        error: What it raises after them.
        stall: Wait forever after the items, until cancelled.
    """

    items: list[Any]
    error: BaseException | None = None
    stall: bool = False
    opened: int = field(default=0, init=False)
    closed: int = field(default=0, init=False)
    stalled: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def run(self) -> AsyncIterator[Any]:
        self.opened += 1
        try:
            for item in self.items:
                yield item
            if self.stall:
                self.stalled.set()
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
        finally:
            await asyncio.sleep(0)
            self.closed += 1


class WatchedReads(Recorder):
    """A backend whose iterators are all *watched*."""

    def __init__(self, backend: object, watched: Watched) -> None:
        super().__init__(backend, CapabilitySet(Capability))
        self.watched = watched

    def __getattr__(self, name: str) -> Any:
        if name == "read" or name in LISTINGS:
            run: Callable[..., Any] = self.watched.run
            return lambda *args, **kwargs: run()
        return super().__getattr__(name)


class Listener:
    """Collects the events of all stores."""

    def __init__(self) -> None:
        self.events: list[OperationEvent] = []

    @hookimpl
    def remote_store_operation(self, event: OperationEvent) -> None:
        self.events.append(event)
