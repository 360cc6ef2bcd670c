"""Binary streams: chunks that come one at a time, and what reads and closes them."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["HOP", "ChunkReader", "Pull", "close_quietly", "read_some"]

_log = logging.getLogger(__name__)

#: Bytes that cross between a thread and a loop, or leave a blocking source, at once.
HOP: Final = 1 << 20


def read_some(stream: BinaryIO, size: int) -> bytes:
    """
    Return at most *size* bytes of a backend's stream, none at its end.

    Raises:
        BlockingIOError: It is one that does not wait, and has nothing now,
            which must not be taken for its end.
    """
    chunk: bytes | None = stream.read(size)
    if chunk is None:
        msg = f"the stream ({type(stream).__name__}) does not block; a backend's has to"
        raise BlockingIOError(msg)
    return chunk


class _Closable(Protocol):
    def close(self) -> object: ...


def close_quietly(source: _Closable) -> None:
    """Close what has given all that it has, or whose error is being raised; a failure is logged."""
    try:
        source.close()
    except Exception:  # noqa: BLE001 - what was read is complete without it
        _log.debug("closing a stream or listing failed", exc_info=True)


class Pull:
    """
    Calls a function for the next chunk; its failure is raised by every later call, too.

    A reader that goes on after an error must not take it for the end.
    """

    def __init__(self, function: Callable[[], bytes]) -> None:
        self._function: Callable[[], bytes] | None = function
        self._failure: BaseException | None = None

    def __call__(self) -> bytes:
        """
        Return the next chunk.

        Raises:
            ValueError: After `end`.
        """
        if self._failure is not None:
            raise self._failure
        if self._function is None:
            msg = "the content of a write was read after the write"
            raise ValueError(msg)
        try:
            return self._function()
        except BaseException as error:
            self._failure = error
            raise

    def end(self) -> None:
        """Forget the failure: its traceback leads to this, they would keep each other alive."""
        self._function = self._failure = None


class ChunkReader(io.RawIOBase):
    """
    Forward-only stream over the chunks that *pull* returns.

    At most one pull runs at a time. Not for several threads at once, like any
    file.

    Args:
        pull: Returns the next chunk, ``b""`` at the end; not called again
            then. Skipping empty chunks before the end is its own business.
    """

    def __init__(self, pull: Callable[[], bytes]) -> None:
        super().__init__()
        self._pull: Callable[[], bytes] | None = pull
        self._tail = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """
        Return *size* bytes, fewer only at the end; all that is left for None or -1.

        Raises:
            ValueError: The stream is closed.
        """
        self._refuse_closed()
        wanted = None if size is None or size < 0 else size
        parts: list[Any] = []
        while wanted is None or wanted > 0:
            if not self._fill():
                break
            part = self._take(wanted)
            parts.append(part)
            if wanted is not None:
                wanted -= len(part)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def readall(self) -> bytes:
        """Return all that is left."""
        return self.read()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """
        Fill *buffer* from at most one pull and return the number of bytes, 0 at the end.

        Raises:
            ValueError: The stream is closed.
        """
        self._refuse_closed()
        target = memoryview(buffer).cast("B")
        if not target or not self._fill():
            return 0
        part = self._take(len(target))
        target[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Drop what is left. Idempotent."""
        self._pull = None
        self._tail = memoryview(b"")
        super().close()

    def _fill(self) -> bool:
        """Return False at the end; else there is something in the tail."""
        if not self._tail and self._pull is not None:
            chunk = self._pull()
            if not chunk:
                self._pull = None
            self._tail = memoryview(chunk)
        return bool(self._tail)

    def _take(self, size: int | None) -> memoryview:
        part = self._tail if size is None else self._tail[:size]
        self._tail = self._tail[len(part) :]
        return part

    def _refuse_closed(self) -> None:
        if self.closed:
            msg = "I/O operation on closed file"
            raise ValueError(msg)
