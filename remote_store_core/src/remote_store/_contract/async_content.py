"""What a write accepts, brought to the two forms that a backend gets."""

from __future__ import annotations

import asyncio
import functools
import inspect
import io
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from types import GeneratorType
from typing import Protocol, TypeAlias, cast

from remote_store._contract.content import BinaryReader, as_bytes
from remote_store._threads.chunk_reader import HOP, Pull
from remote_store._threads.worker_pool import WorkerPool

__all__ = [
    "AsyncBinaryReader",
    "AsyncWritableContent",
    "ContentSource",
    "ContentStream",
    "as_content",
]

#: What a backend's write methods get.
AsyncWritableContent: TypeAlias = bytes | AsyncIterator[bytes]


class AsyncBinaryReader(Protocol):
    """The one method of an async file object that a write needs."""

    async def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, none at the end."""
        ...


#: What a store's write methods take.
ContentSource: TypeAlias = (
    bytes
    | bytearray
    | memoryview
    | AsyncIterable[bytes]
    | Iterable[bytes]
    | BinaryReader
    | AsyncBinaryReader
)


class ContentStream(Protocol):
    """
    An async iterator over a caller's chunks, each checked to be bytes.

    The caller's exceptions pass through it unchanged.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """
        Close the caller's generator, started or not, or the one that its ``__iter__`` made.

        Everything else stays open: files, and iterators other than
        generators, are the caller's.
        """


def as_content(source: ContentSource) -> bytes | ContentStream:
    """
    Return *source* as bytes or as a stream that has to be closed.

    A file is read in steps, not iterated over: that would give its lines.

    Raises:
        TypeError: *source* is none of `ContentSource`.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, (str, io.TextIOBase)):
        msg = f"content must be bytes, got {type(source).__name__}; encode it, or use write_text"
        raise TypeError(msg)
    read = getattr(source, "read", None)
    if inspect.iscoroutinefunction(read):
        return _AsyncFileStream(read)
    if isinstance(source, AsyncIterable):
        return _AsyncStream(source)
    if callable(read):
        return _BlockingStream(functools.partial(cast("Callable[[int], bytes]", read), HOP))
    try:
        return bytes(memoryview(source))  # type: ignore[arg-type]
    except TypeError:
        pass
    if isinstance(source, Iterable):
        return _IterableStream(cast("Iterable[bytes]", source))
    msg = (
        "content must be bytes, a bytes-like object, an iterable or async iterable of bytes, "
        f"or a binary file, got {type(source).__name__}"
    )
    raise TypeError(msg)


class _AsyncFileStream:
    def __init__(self, read: Callable[[int], Awaitable[object]]) -> None:
        self._read = read

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = as_bytes(await self._read(HOP))
        except StopAsyncIteration as error:
            raise _no_end() from error
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        pass


def _no_end() -> RuntimeError:
    """Return what a StopAsyncIteration becomes that would be taken for the end."""
    return RuntimeError("the content of a write raised StopAsyncIteration")


class _AsyncStream:
    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._source = source
        # An iterator handed in is closed even when it is never pulled from.
        self._iterator = source if isinstance(source, AsyncIterator) else None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._iterator is None:
            self._iterator = aiter(self._source)
        return as_bytes(await anext(self._iterator))

    async def aclose(self) -> None:
        if isinstance(self._iterator, AsyncGenerator):
            await self._iterator.aclose()


class _BlockingStream:
    """Pulls chunks in one thread of its own, never on the loop."""

    def __init__(self, pull: Callable[[], bytes]) -> None:
        self._pull = Pull(pull)
        # A source may block for ever, as a pipe does, and reading it changes nothing.
        self._pool = WorkerPool("remote-store-source", 1, exit_waits=False)
        #: Nobody waits for the chunk that is being pulled.
        self._left = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        # mutate, not query: after a cancellation the caller must find the
        # file untouched by a thread that is still reading from it.
        try:
            chunk = as_bytes(await self._pool.mutate(self._pull, on_cancel=self._leave))
        except StopAsyncIteration as error:
            raise _no_end() from error
        if not chunk:
            raise StopAsyncIteration
        return chunk

    def _leave(self) -> None:
        self._left = True

    async def aclose(self) -> None:
        self._pull.end()
        self._pool.close()


class _IterableStream(_BlockingStream):
    """Gathers the chunks of a sync iterable, which may block as a file does."""

    def __init__(self, source: Iterable[bytes]) -> None:
        super().__init__(self._gather)
        self._source = source
        self._items: Iterator[bytes] | None = None

    def _gather(self) -> bytes:
        if self._items is None:
            self._items = iter(self._source)
        parts: list[bytes] = []
        total = 0
        for chunk in self._items:
            parts.append(as_bytes(chunk))
            total += len(chunk)
            if total >= HOP or self._left:  # which an endless one of empty chunks has to see
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def aclose(self) -> None:
        try:
            if self._items is None and isinstance(self._source, GeneratorType):
                self._source.close()  # nothing of it has run here
            elif isinstance(self._items, GeneratorType) and self._items.gi_frame is not None:
                await self._close_where_it_ran(self._items.close)
        finally:
            await super().aclose()

    async def _close_where_it_ran(self, close: Callable[[], None]) -> None:
        """Close a generator in its thread: that may block, or need what belongs to the thread."""
        thrown_away = isinstance(sys.exception(), GeneratorExit)  # nothing can be awaited
        try:
            if not thrown_away:
                await self._pool.mutate(close)
        except asyncio.CancelledError:
            thrown_away = True  # or withdrawn before it began
            raise
        finally:
            if thrown_away:
                self._pool.executor.submit(close)
