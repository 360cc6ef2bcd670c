"""The file object of the async store."""

from __future__ import annotations

import contextlib
import io
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

from remote_store._contract import members
from remote_store._contract.async_backend import AsyncBackend
from remote_store._contract.async_closing import Closing
from remote_store._contract.ranges import Place, is_same_version
from remote_store._contract.standard_errors import other_version
from remote_store._store import rebasing
from remote_store._store.async_observe import AsyncObservation
from remote_store._types.errors import PreconditionFailed
from remote_store._types.models import FileInfo

__all__ = ["AsyncFile"]


class AsyncFile:
    """
    A file that is read lazily, from the beginning or here and there.

    `AsyncStore.open` makes it. ``async with`` asks for its size and version and
    closes it at the end; without that the first call asks, and `aclose`
    closes. It is for one task at a time. ``async for`` goes through its lines.

    All of it is of one version. A file that has been replaced since is a
    `PreconditionFailed` of the next call that asks the backend; where the
    backend gives no ETag, size and time of modification stand for the version.
    """

    __slots__ = (
        "_backend",
        "_block",
        "_chunk",
        "_chunks",
        "_closed",
        "_end",
        "_info",
        "_key",
        "_observation",
        "_place",
        "_ranged",
        "_root",
        "_used",
    )

    def __init__(
        self,
        backend: AsyncBackend,
        key: str,
        block: int,
        *,
        root: str,
        ranged: bool,
        observation: AsyncObservation | None,
    ) -> None:
        self._backend = backend
        self._key = key
        self._block = block
        self._root = root
        self._ranged = ranged
        self._observation = observation
        self._end = contextlib.ExitStack()
        self._info: FileInfo | None = None
        self._place = Place(0, block, ranged=ranged)
        self._chunks: AsyncIterator[bytes] | None = None
        #: What came last of the stream, and how much of it was handed out.
        self._chunk = b""
        self._used = 0
        self._closed = False

    # What it is ----------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def info(self) -> FileInfo:
        """
        What the backend told of the version that is read.

        Raises:
            ValueError: Nothing was asked yet.
        """
        if self._info is None:
            msg = "the file is not open yet: use it in 'async with'"
            raise ValueError(msg)
        return rebasing.rebased_file(self._root, self._info)

    async def tell(self) -> int:
        """Return the position."""
        self._refuse_closed()
        return self._place.position

    async def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """
        Set the position and return it; nothing is transferred.

        Args:
            offset: Bytes from where *whence* says; behind the end there is
                nothing to read.
            whence: 0 for the beginning of the file, 1 for the position, 2 for the end.

        Raises:
            ValueError: The position would be negative, or *whence* is unknown.
        """
        await self._begin()
        return self._place.seek(offset, whence)

    # Reading -------------------------------------------------------------------

    async def read(self, size: int | None = -1) -> bytes:
        """
        Return the next bytes, fewer than *size* only at the end of the file.

        Args:
            size: How many; all that are left for None or -1.

        Raises:
            PreconditionFailed: The file was replaced since it was opened.
        """
        await self._begin()
        left = max(0, self._place.size - self._place.position)
        wanted = left if size is None or size < 0 else min(size, left)
        with self._failing():
            data = await self._gathered(wanted) if wanted else b""
        return self._noted(data)

    async def readline(self, size: int | None = -1) -> bytes:
        r"""
        Return the bytes up to the next ``\n``, that included; none at the end of the file.

        Args:
            size: Bytes to return at most; None or -1 for no limit.

        Raises:
            PreconditionFailed: The file was replaced since it was opened.
        """
        await self._begin()
        place = self._place
        left = place.size if size is None or size < 0 else size
        parts: list[bytes] = []
        with self._failing():
            while left and place.position < place.size:
                await self._reach(1)
                stop = self._used + left
                found = self._chunk.find(b"\n", self._used, stop) + 1
                part = self._take(found - self._used if found else left)
                parts.append(part)
                left -= len(part)
                if found:
                    break
        return self._noted(b"".join(parts))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if line := await self.readline():
            return line
        raise StopAsyncIteration

    # Lifecycle -----------------------------------------------------------------

    async def aclose(self) -> None:
        """Give up what is being read. Idempotent."""
        if not self._closed:
            self._closed = True
            try:
                await self._leave()
            finally:
                self._end.close()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncFile {self._key!r}>"

    # How it is read --------------------------------------------------------------

    def _refuse_closed(self) -> None:
        if self._closed:
            msg = "I/O operation on closed file"
            raise ValueError(msg)

    async def _begin(self) -> None:
        self._refuse_closed()
        if self._info is None:
            if self._observation is not None:
                self._end.enter_context(self._observation.timed())
            with self._failing():
                info = await self._backend.get_file_info(self._key)
            position = self._place.position
            self._place = Place(info.size, self._block, ranged=self._ranged)
            self._place.position = position
            self._info = info

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        position = self._place.position
        try:
            yield
        except BaseException as error:
            # The next call may succeed: at the same place, with a stream of its own.
            self._place.position = position
            self._place.lose()
            self._chunk, self._used = b"", 0
            # The first failure is how the operation ended.
            self._end.pop_all().__exit__(type(error), error, error.__traceback__)
            raise

    def _noted(self, data: bytes) -> bytes:
        if self._observation is not None:
            self._observation.note(data)
        return data

    def _take(self, wanted: int) -> bytes:
        """Return at most *wanted* of the bytes that are there."""
        used, self._used = self._used, min(self._used + wanted, len(self._chunk))
        part = self._chunk[used : self._used]
        self._place.at += len(part)
        self._place.position = self._place.at
        return part

    async def _gathered(self, wanted: int) -> bytes:
        await self._reach(wanted)
        part = self._take(wanted)
        if len(part) == wanted:
            return part  # a whole chunk as it came
        # One buffer that is handed over at the end: to join parts would need the memory
        # twice, which the system takes back and zeroes again for each of many reads.
        buffer = io.BytesIO()
        buffer.seek(wanted - 1)
        buffer.write(b"\0")
        buffer.seek(0)
        buffer.write(part)
        while left := wanted - buffer.tell():
            await self._reach(left)
            buffer.write(self._take(left))
        return buffer.getvalue()

    async def _reach(self, wanted: int) -> None:
        """Have bytes at the position."""
        place = self._place
        while True:
            here = len(self._chunk) - self._used
            if 0 <= (way := place.position - place.at) < here:
                self._used += way
                place.at += way
                return
            if self._chunks is not None and place.reachable:
                place.at += here
                await self._pull()
            else:
                await self._ask(wanted)

    async def _ask(self, wanted: int) -> None:
        await self._leave()
        assert self._info is not None
        etag = self._info.etag
        start, length = self._place.ask(wanted)
        read_range = members.member(self._backend, "read_range", AsyncBackend)
        self._chunks = read_range(self._key, start, length=length, if_match=etag)
        await self._pull()
        if etag is None:
            now = await self._backend.get_file_info(self._key)
            if not is_same_version(now, self._info):
                raise self._replaced()

    async def _pull(self) -> None:
        """Take the next chunk; with the last one see the stream to its end, which may fail."""
        assert self._chunks is not None
        place = self._place
        self._chunk, self._used = b"", 0
        async for chunk in self._chunks:
            if not chunk:
                continue
            if place.at + len(self._chunk) + len(chunk) > place.stop:
                raise self._replaced()
            self._chunk = chunk
            if place.at + len(chunk) < place.stop:
                return
        if place.at + len(self._chunk) < place.stop:
            raise self._replaced()
        self._chunks = None

    def _replaced(self) -> PreconditionFailed:
        return other_version(self._key, self._backend.name)

    async def _leave(self) -> None:
        chunks, self._chunks = self._chunks, None
        self._chunk, self._used = b"", 0
        if chunks is not None:
            await Closing(chunks).__aexit__()
