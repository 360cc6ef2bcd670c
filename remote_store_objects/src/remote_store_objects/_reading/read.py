"""
Reading an object: one request, taken up again where its connection broke.

What is read is one version of the object: each further request carries the
ETag of the first answer. With a concurrency above one, ranges are fetched
ahead of the consumer, a bounded number of them.
"""

from __future__ import annotations

import asyncio
import io
from collections import deque

from remote_store import (
    BackendUnavailable,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    StoreClosed,
)
from remote_store.authoring import other_version
from remote_store_objects._protocol.description import Condition
from remote_store_objects._protocol.service import ObjectStream
from remote_store_objects._protocol.values import ObjectInfo
from remote_store_objects._reading.probe import absent, head, refuse_folder, refuse_impossible
from remote_store_objects._session.outcome import like
from remote_store_objects._session.session import Session
from remote_store_objects._session.tasks import end_all

__all__ = ["Reading", "open_reading"]


async def open_reading(
    session: Session,
    key: str,
    *,
    start: int = 0,
    length: int | None = None,
    if_match: str | None = None,
) -> Reading:
    """
    Begin to read a file.

    Args:
        session: To ask.
        key: Of the file.
        start: Position of the first byte.
        length: Bytes to read at most, None for all that follow.
        if_match: Only this version.

    Returns:
        The reading, which the caller closes.

    Raises:
        NotFound: There is nothing, or no bucket.
        InvalidPath: It is a folder.
        PreconditionFailed: It is another version.
        RemoteStoreError: By the errors of the service.
    """
    refuse_impossible(session, key)
    version = _Version(session, key)
    stop = None if length is None else start + length
    try:
        first = await version.open(start, stop, if_match)
    except NotFound as error:
        made = await absent(session, key, error)
        raise made from made.__cause__
    return Reading(version, first, start, stop)


class _Version:
    """One version of an object, pinned by the answer to the first request."""

    def __init__(self, session: Session, key: str) -> None:
        self.session = session
        self.key = key
        self.deadline = session.deadline()
        self.info: ObjectInfo | None = None
        description = session.description
        self._pinning = description.etags and Condition.GET_IF_MATCH in description.conditions

    @property
    def total(self) -> int:
        """Its bytes."""
        return 0 if self.info is None else self.info.size

    @property
    def pinned(self) -> bool:
        """Whether further requests can ask for this very version."""
        return self._pinning and self.info is not None and self.info.etag is not None

    async def open(self, start: int, stop: int | None, if_match: str | None) -> _Range:
        """Ask for the bytes, or the first part of them if parts are fetched at the same time."""
        session, get = self.session, self.session.service.get
        sizes = session.sizes
        asked = if_match if self._pinning else None
        first = stop
        if sizes.max_concurrency > 1 and self._pinning:
            part = start + sizes.ranges[0]
            first = part if stop is None else min(part, stop)
        stream: ObjectStream | None = None
        refused: PreconditionFailed | None = None
        try:
            stream = await session.ask(
                self.key, get, self.key, start=start, stop=first, if_match=asked
            )
        except PreconditionFailed as error:
            refused = error
        except RemoteStoreError as error:
            if error.status != 416:
                raise
        # Not within a handler: what is found now is no consequence of that refusal.
        if refused is not None:
            try:
                # Services say so, too, where there is nothing, or a folder.
                refuse_folder(session, self.key, await head(session, self.key))
                raise refused
            finally:
                refused = None  # its traceback holds this frame
        if stream is None and start:
            return await self._behind(start, if_match)
        if stream is None:
            # No part of an empty object can be asked for.
            stream = await session.ask(self.key, get, self.key, if_match=asked)
        try:
            self._see(stream.info, if_match)
            if stream.start != start or (stop is not None and stream.stop > stop):
                raise self._unusable(stream)
        except BaseException:
            await stream.aclose()
            raise
        return _Range(self, start, stream.stop, stream)

    async def _behind(self, start: int, if_match: str | None) -> _Range:
        """Return the range of no bytes of an object that ends before *start*."""
        info = await head(self.session, self.key)
        self._see(info, if_match)
        if info.size > start:  # by now
            raise other_version(self.key, self.session.name)
        return _Range(self, start, start)

    def _see(self, info: ObjectInfo, if_match: str | None) -> None:
        """
        Take an answer for the version that is read.

        Raises:
            InvalidPath: It stands for a folder.
            PreconditionFailed: It is another version than *if_match*.
        """
        refuse_folder(self.session, self.key, info)
        if if_match is not None and info.etag != if_match:
            raise other_version(self.key, self.session.name)
        self.info = info

    async def again(self, position: int, stop: int) -> ObjectStream:
        """Ask for some bytes of the same version."""
        session = self.session
        if self.info is None or self.info.etag is None:
            msg = f"The service's answer does not tell the version of the object: {self.key}"
            raise RemoteStoreError(msg, path=self.key, backend=session.name)
        try:
            stream = await session.ask(
                self.key,
                session.service.get,
                self.key,
                start=position,
                stop=stop,
                if_match=self.info.etag,
            )
        except (NotFound, PreconditionFailed) as error:
            msg = f"Replaced or deleted while it was being read: {self.key}"
            changed = like(PreconditionFailed(msg, path=self.key, backend=session.name), error)
            raise changed from changed.__cause__
        if (stream.start, stream.stop, stream.info.size) != (position, stop, self.total):
            await stream.aclose()
            raise self._unusable(stream)
        return stream

    def _unusable(self, stream: ObjectStream) -> RemoteStoreError:
        msg = (
            "The service's answer is another part of the object than was asked for: "
            f"{stream.start} to {stream.stop} of {stream.info.size} bytes"
        )
        return RemoteStoreError(msg, path=self.key, backend=self.session.name)

    def broken(self, position: int, cause: BackendUnavailable | None) -> BackendUnavailable:
        """Return the error for a connection that broke."""
        msg = f"The connection broke at byte {position} of {self.total}: {self.key}"
        error = BackendUnavailable(msg, path=self.key, backend=self.session.name)
        return error if cause is None else like(error, cause)


class _Range:
    """
    Some bytes of a version, over as many connections as it takes.

    Args:
        version: Whose bytes.
        start: Position in the object.
        stop: Position in the object.
        stream: An answer that starts there; closed in every case.
    """

    def __init__(
        self, version: _Version, start: int, stop: int, stream: ObjectStream | None = None
    ) -> None:
        self._version = version
        self._position = start
        self._stream = stream
        self._fruitless = 0
        self.stop = stop

    async def receive(self) -> bytes:
        """Return the next bytes, ``b""`` at the end."""
        version = self._version
        while self._position < self.stop:
            if self._stream is None:
                self._stream = await version.again(self._position, self.stop)
            broken: BackendUnavailable | None = None
            piece = b""
            try:
                piece = await version.session.receive(self._stream, version.key, version.deadline)
            except StoreClosed:
                raise
            except BackendUnavailable as error:
                broken = error
            if piece:
                self._position += len(piece)
                if self._position > self.stop:
                    msg = f"The service sent more bytes than it announced: {version.key}"
                    raise RemoteStoreError(msg, path=version.key, backend=version.session.name)
                self._fruitless = 0
                return piece
            await self.aclose()
            self._fruitless += 1
            failure = version.broken(self._position, broken)
            if not version.pinned:
                raise failure
            await version.session.pause(self._fruitless, failure, version.deadline)
        return b""

    async def aclose(self) -> None:
        """Release the connection."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()


class Reading:
    """
    A file that is being read; made by `open_reading`.

    Attributes:
        info: What the service told of it.
    """

    def __init__(self, version: _Version, first: _Range, start: int, stop: int | None) -> None:
        assert version.info is not None
        self.info = version.info
        self._version = version
        size = version.info.size
        self._stop = size if stop is None else min(stop, size)
        self._left = max(0, self._stop - start)
        self._first: _Range | None = first
        self._next = first.stop
        self._tasks: deque[asyncio.Task[list[bytes]]] = deque()
        self._pieces: deque[bytes] = deque()

    async def receive(self) -> bytes:
        """
        Return the next bytes as they arrive, ``b""`` at the end.

        Raises:
            PreconditionFailed: The object was replaced or deleted meanwhile;
                what was handed out is the beginning of the old one.
            BackendUnavailable: The connection broke again and again.
            RemoteStoreError: By the errors of the service.
        """
        concurrency = self._version.session.sizes.max_concurrency if self._version.pinned else 1
        if self._first is not None:
            if self._next < self._stop and concurrency > 1:
                self._start(concurrency - 1)
            piece = await self._first.receive()
            if piece:
                return piece
            await self._first.aclose()
            self._first = None
        while not self._pieces:
            self._start(concurrency)
            if not self._tasks:
                return b""
            self._pieces.extend(await self._tasks[0])
            self._tasks.popleft()
        return self._pieces.popleft()

    async def content(self) -> bytes:
        """Return all that is left, and close; raises as `receive`."""
        try:
            first = await self.receive()
            if len(first) == self._left:
                return first
            # Which hands over its own buffer at the end, where joining pieces would
            # need the memory twice.
            buffer = io.BytesIO()
            buffer.write(first)
            while piece := await self.receive():
                buffer.write(piece)
            return buffer.getvalue()
        finally:
            await self.aclose()

    def _start(self, count: int) -> None:
        """Have *count* ranges under way or waiting, as long as there are so many."""
        _, size = self._version.session.sizes.ranges
        while len(self._tasks) < count and self._next < self._stop:
            start, self._next = self._next, min(self._next + size, self._stop)
            self._tasks.append(asyncio.create_task(self._fetch(start, self._next)))

    async def _fetch(self, start: int, stop: int) -> list[bytes]:
        part = _Range(self._version, start, stop)
        try:
            pieces = []
            while piece := await part.receive():
                pieces.append(piece)
            return pieces
        finally:
            await part.aclose()

    async def aclose(self) -> None:
        """Give up what is under way; no request and no task is left."""
        await end_all(self._tasks)
        self._tasks.clear()
        if self._first is not None:
            await self._first.aclose()
