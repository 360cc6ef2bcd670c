"""Files that `RemoteStoreFileSystem` opens."""

# fsspec states no types; what is inferred of its bodies is not what it means.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

import io
import logging
import sys
from typing import Any, ClassVar, Final

from fsspec.asyn import AbstractAsyncStreamedFile, sync
from fsspec.spec import AbstractBufferedFile

from remote_store_fsspec._draft import Draft
from remote_store_fsspec._read_ahead import ReadAhead

__all__ = ["StoreFile", "StreamedFile"]

_log = logging.getLogger(__name__)


def _dropped(path: str, why: str) -> None:
    _log.warning("%r was %s: what was written to it is not stored", path, why)


def _failing(outer: BaseException | None) -> bool:
    """Return True while an exception is handled that came after *outer*."""
    error = sys.exception()
    return error is not None and error is not outer


#: Bytes that are written at once, and read ahead at most.
_BLOCK: Final = 4 * 1024 * 1024


def _take(file: Any) -> bytes:
    """Take what was gathered out of a file, so that it is in memory once while it is sent."""
    piece: bytes = file.buffer.getvalue()
    file.buffer = io.BytesIO()
    file.offset += len(piece)
    return piece


class StoreFile(AbstractBufferedFile):
    """
    A file of a store, read by ranges or written as a whole.

    Reading, every byte comes from the version that was there when the file
    was opened; where another one has taken its place, an OSError (ESTALE) says so.

    Writing, nothing is visible before `close` returns (in a transaction:
    before its end), and what was there before stays when something fails. A
    file that is closed because of an exception, by ``with`` or ``finally``, is
    not stored, nor is one that is thrown away without being closed; a warning
    is logged.
    """

    DEFAULT_BLOCK_SIZE: ClassVar[int] = _BLOCK

    def __init__(self, fs: Any, path: str, mode: str, details: Any, **options: Any) -> None:
        self._draft: Draft | None = None
        if mode != "rb":
            self._draft = fs._draft(path, overwrite=mode != "xb")  # noqa: SLF001 - of one member
        self._details = details
        #: What is handled already, while the file is opened.
        self._outer = sys.exception()
        options["cache_type"] = options.get("cache_type") or ReadAhead.name
        super().__init__(fs, path, mode, size=details["size"], **options)
        # What a copy in another process is opened with.
        self.kwargs = {"etag": details.get("etag")}

    def _fetch_range(self, start: int, end: int) -> Any:
        etag = self._details.get("etag")
        return sync(self.fs.loop, self.fs._range, self.path, start, end, etag)  # noqa: SLF001

    def _upload_chunk(self, final: bool = False) -> bool:
        assert self._draft is not None
        sync(self.fs.loop, self._draft.add, _take(self), last=final)
        if final and self.autocommit:
            self.commit()
        return False  # the buffer is taken care of

    def commit(self) -> None:
        """Make the content visible; a transaction calls this at its end."""
        if self._draft is not None:
            sync(self.fs.loop, self._draft.commit)

    def discard(self) -> None:
        """Leave everything as it was before the file was opened."""
        self.closed = True
        if self._draft is not None:
            sync(self.fs.loop, self._draft.discard)

    def close(self) -> None:
        """
        Store what was written, or let go of what was read.

        Raises:
            OSError: The content could not be stored.
        """
        if self.closed or self._draft is None:
            super().close()
        elif _failing(self._outer):
            _dropped(self.path, "closed because of an exception")
            self.discard()
        else:
            try:
                super().close()
            except BaseException:
                self.discard()
                raise

    def __del__(self) -> None:
        draft = getattr(self, "_draft", None)
        if draft is None or self.closed:
            return
        self.closed = True
        _dropped(self.path, "never closed")
        if not self.fs.loop.is_closed():
            self.fs.loop.call_soon_threadsafe(draft.abandon)


class StreamedFile(AbstractAsyncStreamedFile):
    """
    The same for programs with a loop: `read`, `write` and `close` are coroutines.

    It has no cache, and no transaction. Thrown away, it is not stored.
    """

    DEFAULT_BLOCK_SIZE: ClassVar[int] = _BLOCK

    def __init__(self, fs: Any, path: str, mode: str, details: Any, **options: Any) -> None:
        self._draft: Draft | None = None
        if mode != "rb":
            self._draft = fs._draft(path, overwrite=mode != "xb")  # noqa: SLF001 - of one member
        self._details = details
        self._outer = sys.exception()
        size = details and details["size"]
        # Its base knows no exclusive mode; the draft does.
        base_mode = "rb" if mode == "rb" else "wb"
        super().__init__(fs, path, base_mode, cache_type="none", size=size, **options)

    async def _fetch_range(self, start: int, end: int) -> bytes:
        end = min(end, self.size)
        if start >= end:
            return b""
        etag = self._details.get("etag")
        found: bytes = await self.fs._range(self.path, start, end, etag)  # noqa: SLF001
        return found

    async def _upload_chunk(self, final: bool = False) -> bool:
        assert self._draft is not None
        await self._draft.add(_take(self), last=final)
        if final:
            await self._draft.commit()
        return False

    async def discard(self) -> None:
        """Leave everything as it was before the file was opened."""
        self.closed = True
        if self._draft is not None:
            await self._draft.discard()

    async def close(self) -> None:
        """
        Store what was written, or let go of what was read.

        Raises:
            OSError: The content could not be stored.
        """
        if self.closed or self._draft is None:
            await super().close()
        elif _failing(self._outer):
            _dropped(self.path, "closed because of an exception")
            await self.discard()
        else:
            try:
                await super().close()
            except BaseException:
                await self.discard()
                raise

    def __del__(self) -> None:
        draft = getattr(self, "_draft", None)
        if draft is not None and not self.closed:
            self.closed = True
            _dropped(self.path, "never closed")
            draft.abandon()
