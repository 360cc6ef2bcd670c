"""
Reading a blob: one request, taken up again where its connection broke.

What is read is one version of the blob: each further request carries the ETag
of the first answer. With `max_concurrency` above one, ranges are fetched ahead
of the consumer, a bounded number of them.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeAlias

from remote_store import (
    BackendUnavailable,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    StoreClosed,
)
from remote_store_azure._blob.headers import etag_of
from remote_store_azure._http.tasks import end_all
from remote_store_azure._rest.operations import GET_BLOB

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import StreamedResponse

__all__ = ["chunks", "content"]

#: Looks at the headers of the first answer; raises if they are not those of a file.
Check: TypeAlias = Callable[[Mapping[str, str]], object]

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


async def chunks(
    session: Session, name: str, path: str | None, *, check: Check | None = None
) -> AsyncGenerator[bytes, None]:
    """
    Yield the content of a blob as it arrives.

    Args:
        session: The container.
        name: Name of the blob.
        path: Key that errors name.
        check: Called with the headers of the answer before the first chunk;
            what it raises passes unchanged.

    Raises:
        NotFound: There is no such blob, or no container.
        PreconditionFailed: The blob was replaced or deleted meanwhile; what
            was yielded is the beginning of the old one.
        BackendUnavailable: The connection broke again and again.
        RemoteStoreError: By the table of errors.
    """
    version = _Version(session, name, path)
    streaming, stop = await version.open(check)
    parts = _Parts(version, stop)
    try:
        async with aclosing(version.read(0, stop, streaming)) as pieces:
            parts.start(session.max_concurrency - 1)
            async for piece in pieces:
                yield piece
        while parts.left:
            parts.start(session.max_concurrency)
            for piece in await parts.next():
                yield piece
    finally:
        await parts.close()


async def content(
    session: Session, name: str, path: str | None, *, check: Check | None = None
) -> bytes:
    """
    Return the content of a blob.

    Raises:
        NotFound, PreconditionFailed, BackendUnavailable, RemoteStoreError: See `chunks`.
    """
    # Which hands over its own buffer at the end, where joining pieces would
    # need the memory twice.
    buffer = io.BytesIO()
    async with aclosing(chunks(session, name, path, check=check)) as pieces:
        async for piece in pieces:
            buffer.write(piece)
    return buffer.getvalue()


class _Version:
    """
    One version of a blob, pinned by the answer to the first request.

    Attributes:
        total: Its bytes.
    """

    def __init__(self, session: Session, name: str, path: str | None) -> None:
        self._session = session
        self._url = session.url(name)
        self._path = path
        self._deadline = session.deadline()
        self._etag: str | None = None
        self.total = 0

    async def open(self, check: Check | None) -> tuple[StreamedResponse, int]:
        """
        Ask for the blob, or its first part if parts are fetched at the same time.

        Returns:
            The answer, and the position in the blob at which it ends.
        """
        headers = {}
        if self._session.max_concurrency > 1:
            options = self._session.options
            first = options.max_single_get or options.max_chunk_get
            headers["x-ms-range"] = f"bytes=0-{first - 1}"
        streaming = await self._ask(headers, (200, 206, 416))
        try:
            if streaming.status == 416:  # no part of an empty blob can be asked for
                await streaming.close()
                streaming = await self._ask({}, (200,))
            if check is not None:
                check(streaming.headers)
            self._etag = etag_of(streaming.headers)
            start, stop, self.total = self._extent(streaming)
            if start:
                raise self._unusable(streaming)
        except BaseException:
            await streaming.close()
            raise
        return streaming, stop

    async def _ask(self, headers: Mapping[str, str], accept: tuple[int, ...]) -> StreamedResponse:
        return await self._session.stream(
            GET_BLOB,
            self._url,
            path=self._path,
            headers=headers,
            accept=accept,
            deadline=self._deadline,
        )

    def after(self, position: int) -> int:
        """Return where a part that starts at *position* stops."""
        return min(position + self._session.options.max_chunk_get, self.total)

    def _extent(self, streaming: StreamedResponse) -> tuple[int, int, int]:
        """Return where an answer starts and stops, and the size of the blob."""
        if streaming.status == 206:
            found = _RANGE.fullmatch(streaming.headers.get("Content-Range", ""))
            if found is None:
                raise self._unusable(streaming)
            start, last, total = map(int, found.groups())
            return start, last + 1, total
        length = streaming.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise self._unusable(streaming)
        return 0, int(length), int(length)

    def _unusable(self, streaming: StreamedResponse) -> RemoteStoreError:
        shown = {
            name: streaming.headers.get(name)
            for name in ("Content-Range", "Content-Length", "ETag")
        }
        msg = f"The answer does not tell which part of the blob it is: {shown}"
        return RemoteStoreError(
            msg, path=self._path, backend=self._session.backend, status=streaming.status
        )

    async def read(
        self, start: int, stop: int, streaming: StreamedResponse | None = None
    ) -> AsyncGenerator[bytes, None]:
        """
        Yield the bytes from *start* to *stop*, over as many connections as it takes.

        Args:
            start: Position in the blob.
            stop: Position in the blob.
            streaming: An answer that starts there; closed in every case.
        """
        position = start
        fruitless = 0
        while True:
            if streaming is None:
                streaming = await self._again(position, stop)
            broken: BackendUnavailable | None = None
            try:
                async with aclosing(streaming.chunks()) as pieces:
                    while True:
                        try:
                            piece = await anext(pieces)
                        except StopAsyncIteration:
                            break
                        except StoreClosed:
                            raise
                        except BackendUnavailable as error:
                            broken = error
                            break
                        position += len(piece)
                        if position > stop:
                            raise self._unusable(streaming)
                        fruitless = 0
                        yield piece
            finally:
                await streaming.close()
            if position == stop:
                return
            streaming = None
            fruitless += 1
            await self._session.pause(fruitless, self._broken(position, broken), self._deadline)

    async def _again(self, position: int, stop: int) -> StreamedResponse:
        if self._etag is None:
            raise self._broken(position, None)
        headers = {"x-ms-range": f"bytes={position}-{stop - 1}", "If-Match": f'"{self._etag}"'}
        try:
            streaming = await self._ask(headers, (206,))
        except (NotFound, PreconditionFailed) as error:
            msg = f"Replaced or deleted while it was being read: {self._path}"
            raise PreconditionFailed(
                msg,
                path=self._path,
                backend=self._session.backend,
                status=error.status,
                code=error.code,
                request_id=error.request_id,
            ) from (error.__cause__ or error)
        try:
            if self._extent(streaming) != (position, stop, self.total):
                raise self._unusable(streaming)
        except BaseException:
            await streaming.close()
            raise
        return streaming

    def _broken(self, position: int, cause: BackendUnavailable | None) -> BackendUnavailable:
        msg = f"The connection broke at byte {position} of {self.total}: {self._path}"
        error = BackendUnavailable(msg, path=self._path, backend=self._session.backend)
        if cause is not None:
            error.__cause__ = cause.__cause__ or cause
        return error


class _Parts:
    """
    What follows the first answer, fetched in parts ahead of the consumer.

    Args:
        version: The blob.
        start: Where the parts start.
    """

    def __init__(self, version: _Version, start: int) -> None:
        self._version = version
        self._next = start
        self._tasks: deque[asyncio.Task[list[bytes]]] = deque()

    @property
    def left(self) -> bool:
        """Whether a part is still to come."""
        return bool(self._tasks) or self._next < self._version.total

    def start(self, count: int) -> None:
        """Have *count* parts under way or waiting, as long as there are so many."""
        while len(self._tasks) < count and self._next < self._version.total:
            start, self._next = self._next, self._version.after(self._next)
            self._tasks.append(asyncio.create_task(self._fetch(start, self._next)))

    async def _fetch(self, start: int, stop: int) -> list[bytes]:
        async with aclosing(self._version.read(start, stop)) as pieces:
            return [piece async for piece in pieces]

    async def next(self) -> list[bytes]:
        """Return the next part, in pieces."""
        part = await self._tasks[0]
        self._tasks.popleft()
        return part

    async def close(self) -> None:
        """Give up what is under way; no request and no task is left."""
        await end_all(self._tasks)
