"""What a sync write accepts, brought to the two forms that a backend gets."""

from __future__ import annotations

import inspect
import io
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from types import GeneratorType
from typing import BinaryIO, Protocol, TypeAlias, cast

from remote_store._threads.chunk_reader import HOP, ChunkReader, Pull

__all__ = ["BinaryReader", "SyncContentSource", "WritableContent", "as_bytes", "as_content"]

#: What a backend's write methods get.
WritableContent: TypeAlias = BinaryIO | bytes


class BinaryReader(Protocol):
    """The one method of a binary file object that a write needs."""

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, none at the end."""
        ...


#: What a store's write methods take.
SyncContentSource: TypeAlias = bytes | bytearray | memoryview | Iterable[bytes] | BinaryReader


def as_bytes(chunk: object) -> bytes:
    """
    Return a chunk of a caller's content as bytes.

    Of a ``bytearray`` or ``memoryview`` it is a copy: its owner may use the
    buffer again.

    Raises:
        TypeError: It is not bytes-like.
    """
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(chunk)
    msg = f"content must consist of bytes, but its source gave {type(chunk).__name__}"
    raise TypeError(msg)


def as_content(source: SyncContentSource) -> bytes | BinaryIO:
    """
    Return *source* as bytes or as a binary file.

    A real binary file is handed on as it is, so that a backend can use what
    else it offers. Everything else is read through a `ChunkReader`, which
    closes a generator when it is closed itself.

    Raises:
        TypeError: *source* is none of `SyncContentSource`.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, (io.RawIOBase, io.BufferedIOBase)):
        return cast("BinaryIO", source)
    if isinstance(source, AsyncIterable):
        msg = (
            "content of a sync store must not be an async iterable, "
            f"got {type(source).__name__}; use AsyncStore"
        )
        raise TypeError(msg)
    if isinstance(source, (str, io.TextIOBase)):
        msg = f"content must be bytes, got {type(source).__name__}; encode it, or use write_text"
        raise TypeError(msg)
    read = getattr(source, "read", None)
    if inspect.iscoroutinefunction(read):
        msg = f"content must be a sync file, got {type(source).__name__}; use AsyncStore"
        raise TypeError(msg)
    if callable(read):
        return cast("BinaryIO", _Reader(_file_pull(read)))
    try:
        return bytes(memoryview(source))  # type: ignore[arg-type]
    except TypeError:
        pass
    if isinstance(source, Iterable):
        return cast("BinaryIO", _IterableReader(cast("Iterable[bytes]", source)))
    msg = (
        "content must be bytes, a bytes-like object, an iterable of bytes, "
        f"or a binary file, got {type(source).__name__}"
    )
    raise TypeError(msg)


def _file_pull(read: Callable[[int], object]) -> Callable[[], bytes]:
    return lambda: as_bytes(read(HOP))


class _Reader(ChunkReader):
    """Repeats a failure of the source until it is closed."""

    def __init__(self, pull: Callable[[], bytes]) -> None:
        self._source_pull = Pull(pull)
        super().__init__(self._source_pull)

    def close(self) -> None:
        self._source_pull.end()
        super().close()


class _IterableReader(_Reader):
    def __init__(self, source: Iterable[bytes]) -> None:
        super().__init__(self._next)
        self._source = source
        self._items: Iterator[bytes] | None = None

    def _next(self) -> bytes:
        if self._items is None:
            self._items = iter(self._source)
        for item in self._items:
            if chunk := as_bytes(item):
                return chunk
        return b""

    def close(self) -> None:
        # One that the caller handed in, or that was made by its __iter__.
        items = self._source if self._items is None else self._items
        try:
            if isinstance(items, GeneratorType):
                items.close()
        finally:
            super().close()
