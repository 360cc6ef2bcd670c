"""
Reading a blob: one request, taken up again where its connection broke.

What is read is one version of the blob: each further request carries the ETag
of the first response. With `max_concurrency` above one, ranges are fetched ahead
of the consumer, a bounded number of them.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from remote_store import (
    BackendUnavailable,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    StoreClosed,
)
from remote_store_azure._blob.headers import etag_of
from remote_store_azure._rest.operations import GET_BLOB
from remote_store_objects.authoring import end_all

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import StreamedResponse

__all__ = ["BlobReader"]

#: Looks at the headers of the first response; raises if they are not those of a file.
Check: TypeAlias = Callable[[Mapping[str, str]], object]
#: Returns what to raise where there is no blob.
Missing: TypeAlias = Callable[[NotFound], Awaitable[RemoteStoreError]]

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class BlobReader:
    """
    An async iterator over the content of a blob as it arrives.

    No generator: each chunk would pass through one more frame of each. The
    first pull sends the request. Close it with `aclose`, unless it was
    exhausted or raised.

    Args:
        session: Of the container.
        key: Name of the blob, which errors name.
        check: Called with the headers of the response before the first chunk;
            what it raises passes unchanged.
        missing: Called with the NotFound for an absent blob; what it returns
            is raised instead.

    Raises:
        NotFound: There is no such blob, or no container.
        PreconditionFailed: The blob was replaced or deleted meanwhile; what
            was yielded is the beginning of the old one.
        BackendUnavailable: The connection broke again and again.
        RemoteStoreError: By the table of errors.
    """

    __slots__ = ("_check", "_first", "_missing", "_next_chunks", "_parts", "_session", "_version")

    def __init__(
        self,
        session: Session,
        key: str,
        *,
        check: Check | None = None,
        missing: Missing | None = None,
    ) -> None:
        self._session = session
        self._version = _Version(session, key)
        self._check = check
        self._missing = missing
        self._first: _Range | None = None
        self._parts: _Parts | None = None
        self._next_chunks: deque[bytes] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            if self._next_chunks:
                return self._next_chunks.popleft()
            if self._first is None:
                await self._open()
            assert self._first is not None
            assert self._parts is not None
            chunk = await self._first.next()
            if chunk:
                return chunk
            while self._parts.left:
                self._parts.start(self._session.max_concurrency)
                self._next_chunks.extend(await self._parts.next())
                if self._next_chunks:
                    return self._next_chunks.popleft()
        except BaseException:
            await self.aclose()
            raise
        raise StopAsyncIteration

    async def _open(self) -> None:
        try:
            response, stop = await self._version.open(self._check)
        except NotFound as error:
            if self._missing is None:
                raise
            raise await self._missing(error) from error.__cause__
        self._first = _Range(self._version, 0, stop, response)
        self._parts = _Parts(self._version, stop)
        self._parts.start(self._session.max_concurrency - 1)

    async def read_all(self) -> bytes:
        """Return the whole content, and close the reader; raises as the iteration."""
        # Which hands over its own buffer at the end, where joining chunks would
        # need the memory twice.
        buffer = io.BytesIO()
        async with aclosing(self):
            async for chunk in self:
                buffer.write(chunk)
        return buffer.getvalue()

    async def aclose(self) -> None:
        """Give up what is still to come; no request and no task is left. Idempotent."""
        try:
            if self._first is not None:
                await self._first.aclose()
        finally:
            if self._parts is not None:
                await self._parts.aclose()


class _Version:
    """
    One version of a blob, pinned by the first response.

    Attributes:
        total: Its bytes.
    """

    def __init__(self, session: Session, key: str) -> None:
        self._session = session
        self._url = session.url(key)
        self._path = key
        self._deadline = session.deadline()
        self._etag: str | None = None
        self.total = 0

    async def open(self, check: Check | None) -> tuple[StreamedResponse, int]:
        """
        Ask for the blob, or its first part if parts are fetched at the same time.

        Returns:
            The response, and the position in the blob at which it ends.
        """
        headers = {}
        if self._session.max_concurrency > 1:
            options = self._session.options
            first = options.max_single_get or options.max_chunk_get
            headers["x-ms-range"] = f"bytes=0-{first - 1}"
        response = await self._ask(headers, (200, 206, 416))
        try:
            if response.status == 416:  # no part of an empty blob can be asked for
                await response.aclose()
                response = await self._ask({}, (200,))
            if check is not None:
                check(response.headers)
            self._etag = etag_of(response.headers)
            start, stop, self.total = self._extent(response)
            if start:
                raise self.unusable(response)
        except BaseException:
            await response.aclose()
            raise
        return response, stop

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

    def _extent(self, response: StreamedResponse) -> tuple[int, int, int]:
        """Return where a response starts and stops, and the size of the blob."""
        if response.status == 206:
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if found is None:
                raise self.unusable(response)
            start, last, total = map(int, found.groups())
            return start, last + 1, total
        length = response.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise self.unusable(response)
        return 0, int(length), int(length)

    def unusable(self, response: StreamedResponse) -> RemoteStoreError:
        """Return the error for a response that is not what was asked for."""
        shown = {
            name: response.headers.get(name) for name in ("Content-Range", "Content-Length", "ETag")
        }
        msg = f"The answer does not tell which part of the blob it is: {shown}"
        return RemoteStoreError(
            msg, path=self._path, backend=self._session.name, status=response.status
        )

    async def again(self, position: int, stop: int) -> StreamedResponse:
        """
        Ask for the bytes between two positions of the same version.

        Raises:
            PreconditionFailed: It was replaced or deleted.
            RemoteStoreError: The response is another part; else by the table of errors.
        """
        if self._etag is None:
            raise self._broken(position, None)
        headers = {"x-ms-range": f"bytes={position}-{stop - 1}", "If-Match": f'"{self._etag}"'}
        try:
            response = await self._ask(headers, (206,))
        except (NotFound, PreconditionFailed) as error:
            msg = f"Replaced or deleted while it was being read: {self._path}"
            raise PreconditionFailed(
                msg,
                path=self._path,
                backend=self._session.name,
                status=error.status,
                code=error.code,
                request_id=error.request_id,
            ) from (error.__cause__ or error)
        try:
            if self._extent(response) != (position, stop, self.total):
                raise self.unusable(response)
        except BaseException:
            await response.aclose()
            raise
        return response

    async def pause(self, fruitless: int, position: int, cause: BackendUnavailable | None) -> None:
        """
        Wait before what broke off is asked for again.

        Raises:
            BackendUnavailable: Attempts or time are used up.
        """
        await self._session.pause(fruitless, self._broken(position, cause), self._deadline)

    def _broken(self, position: int, cause: BackendUnavailable | None) -> BackendUnavailable:
        msg = f"The connection broke at byte {position} of {self.total}: {self._path}"
        error = BackendUnavailable(msg, path=self._path, backend=self._session.name)
        if cause is not None:
            error.__cause__ = cause.__cause__ or cause
        return error


class _Range:
    """
    The bytes of a version between two positions, over as many connections as it takes.

    Args:
        version: Of the blob.
        start: Position in the blob.
        stop: Position in the blob.
        response: One that begins at *start*; None to ask for it.
    """

    __slots__ = ("_fruitless", "_position", "_response", "_stop", "_version")

    def __init__(
        self,
        version: _Version,
        start: int,
        stop: int,
        response: StreamedResponse | None = None,
    ) -> None:
        self._version = version
        self._position = start
        self._stop = stop
        self._response = response
        #: Attempts since there was progress.
        self._fruitless = 0

    async def next(self) -> bytes:
        """Return the next bytes, none at the end."""
        while True:
            response = self._response
            if response is None:
                if self._position == self._stop:
                    return b""
                response = await self._version.again(self._position, self._stop)
                self._response = response
            broken: BackendUnavailable | None = None
            try:
                chunk = await response.next()
            except StoreClosed:
                raise
            except BackendUnavailable as error:
                chunk, broken = b"", error
            if chunk:
                self._position += len(chunk)
                if self._position > self._stop:
                    raise self._version.unusable(response)
                self._fruitless = 0
                return chunk
            await self.aclose()
            if self._position == self._stop:
                return b""
            self._fruitless += 1
            await self._version.pause(self._fruitless, self._position, broken)

    async def aclose(self) -> None:
        """Free the connection; idempotent."""
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()


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
        found = _Range(self._version, start, stop)
        async with aclosing(found):
            chunks: list[bytes] = []
            while chunk := await found.next():
                chunks.append(chunk)
            return chunks

    async def next(self) -> list[bytes]:
        """Return the next part, in pieces."""
        part = await self._tasks[0]
        self._tasks.popleft()
        return part

    async def aclose(self) -> None:
        """Give up what is under way; no request and no task is left."""
        await end_all(self._tasks)
