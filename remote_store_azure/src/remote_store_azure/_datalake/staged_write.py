"""
Writing through a temporary file, which gets its name when it is complete.

It lies in the folder of its target, or further up where its name would be too
long there; no listing shows it. It is removed whatever happens to its writer, with
the folders that it made, by the close of the backend if the writer waits for
content then. One whose process was killed is removed by a listing a day later; for
that a writer that takes long shows from time to time that it lives.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from remote_store import NotFound, PreconditionFailed, RemoteStoreError
from remote_store.aio.workers import settle
from remote_store_azure._blob.probe import head, look, refuse_existing
from remote_store_azure._connect.options import GROWTH
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.made_folders import Made, made_by
from remote_store_azure._datalake.names import beside
from remote_store_azure._datalake.probe import refuse_other_version, refused
from remote_store_azure._datalake.rename import rename
from remote_store_azure._datalake.resumed_write import resumed_write
from remote_store_azure._keys import NAME
from remote_store_azure._rest.errors import NO_STORAGE
from remote_store_objects import Attributes
from remote_store_objects.authoring import Gatherer, Tasks, Waiting, end_all, untouched

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response
    from remote_store_objects.authoring import Session as Objects

__all__ = ["STALE", "staged_write"]

_log = logging.getLogger(__name__)

#: Seconds after its last change from which on a temporary file has no writer any more.
STALE: Final = 24 * 3600
#: Seconds after which a writer that still appends shows that it lives.
SIGN_OF_LIFE: Final = 3600
#: Seconds that a cancelled or failed write takes at most to tidy up.
PATIENCE: Final = 10.0
#: Bytes of the largest append.
_LARGEST: Final = 100 << 20


async def staged_write(
    session: Session,
    key: str,
    content: bytes | AsyncIterator[bytes],
    *,
    exclusive: bool,
    attributes: Attributes,
    if_match: str | None = None,
    resuming: Objects | None = None,
) -> tuple[Response, int]:
    """
    Write a file of any size; memory holds a block for each request in flight and two more.

    Args:
        session: Of the container.
        key: Of the file.
        content: Its bytes. The exceptions of an iterator pass unchanged; it
            is not closed.
        exclusive: Whether a file at *key* is to be left as it is. One that is
            there already is found before more than one block is sent.
        attributes: What it keeps beside them.
        if_match: Only in the place of this version, in quotes; the rename decides.
        resuming: The session in which several blocks are written so that the next
            write may go on with them; None for no such write.

    Returns:
        An answer with the ETag and time of the file, and its size in bytes.

    Raises:
        AlreadyExists: *exclusive*, and there is a file.
        InvalidPath: There is a folder, or a file above *key*.
        PreconditionFailed: Another client removed the temporary file. With
            ``outcome_unknown`` if the rename got no answer.
        TypeError: A chunk is not bytes.
        RemoteStoreError: By the table of errors.
    """
    smallest = min(session.options.block_size, _LARGEST)
    size = smallest
    if isinstance(content, bytes):
        if len(content) <= session.options.max_single_put:
            size = len(content)
        content = _whole(content)
    source = Gatherer(content)
    block = await source.take(size)
    last = await source.ended()
    if exclusive and not block:
        return await _create_empty(session, key, attributes), 0
    if if_match is not None:
        # What the service makes of a condition where nothing is, nobody has told.
        await refuse_other_version(session, key, if_match)
    if exclusive and not last:
        await refuse_existing(session, key)
    if resuming is not None and not last:
        return await resumed_write(
            resuming,
            key,
            block,
            source,
            exclusive=exclusive,
            attributes=attributes,
            if_match=if_match,
        )
    async with _Draft(session, key) as draft:
        await draft.create(attributes)
        while block:
            await draft.append(block, last=last)
            if last:
                break
            block = await source.take(min(smallest << draft.count // GROWTH, _LARGEST))
            last = await source.ended()
        return await draft.publish(exclusive=exclusive, if_match=if_match), draft.size


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _create_empty(session: Session, key: str, attributes: Attributes) -> Response:
    response = await dfs.create_file(
        session, key, key, attributes, exclusive=True, accept=(201, 409, 412)
    )
    if response.status == 201:
        return response
    raise await refused(
        session,
        response,
        exclusive=True,
        ours=lambda there: there.headers.get("Content-Length") == "0",
    )


class _Draft:
    """
    The temporary file of one write; leaving the context removes it unless it was published.

    Args:
        session: Of the container.
        key: The target, beside which it lies; also for errors.
    """

    def __init__(self, session: Session, key: str) -> None:
        self._session = session
        self._key = key
        self._name = beside(key, secrets.token_hex(8))
        self._sending = Tasks(session.max_concurrency)
        self._etag = ""
        self._seen = 0.0
        self.count = 0
        self.size = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._sending.__aexit__(kind, error, traceback)
        if kind is GeneratorExit:
            return  # the coroutine is thrown away: there is no loop to wait on
        if self._session.calls.settle(self._remove):
            await settle(self._session.calls.spare(self._remove(PATIENCE)))

    async def create(self, attributes: Attributes) -> None:
        """
        Create it.

        Raises:
            InvalidPath: There is a file above the target.
        """
        session = self._session
        session.calls.owe(self._remove, self._key)
        self._begun = asyncio.get_running_loop().time()
        request = dfs.create_file(session, self._name, self._key, attributes, accept=(201, 409))
        self._creation = session.calls.spare(made_by(request))
        with untouched():
            try:
                with Waiting(session.calls, self._key, False):
                    response, _ = await asyncio.shield(self._creation)
                if response.status != 201:
                    raise await refused(session, response, exclusive=False)
            except RemoteStoreError as error:
                if not error.outcome_unknown:
                    session.calls.settle(self._remove)  # there is nothing to be removed
                raise
            self._etag = session.etag(response)
        self._seen = asyncio.get_running_loop().time()

    async def append(self, pieces: Sequence[bytes | memoryview], *, last: bool) -> None:
        """Start to append a block, once fewer than the allowed number are on their way."""
        position, length = self.size, sum(map(len, pieces))
        now = asyncio.get_running_loop().time()
        self.count += 1
        self.size += length
        if last or now - self._seen > SIGN_OF_LIFE:
            await self._sending.finish()
            await self._flush(position, pieces)
            self._seen = now
        else:
            await self._sending.start(self._append, position, pieces)

    async def _append(self, position: int, pieces: Sequence[bytes | memoryview]) -> None:
        try:
            with untouched():
                await dfs.append(self._session, self._name, self._key, position, pieces)
        except NotFound as error:
            raise self._gone(error) from error.__cause__

    async def _flush(self, position: int, pieces: Sequence[bytes | memoryview]) -> None:
        with untouched():
            response = await dfs.append(
                self._session, self._name, self._key, position, pieces, flush=True, accept=dfs.ANY
            )
            if response.status != 202 and response.lost:
                # That attempt may have done it, and its repetition is refused.
                there = await head(self._session, self._name)
                if there.status == 200 and there.headers.get("Content-Length") == str(self.size):
                    self._etag = self._session.etag(there)
                    return
            if response.status == 202:
                self._etag = self._session.etag(response)
                return
        error = self._session.error(response, outcome_unknown=False)
        if response.status == 404:
            raise self._gone(error) from error.__cause__
        raise error

    async def publish(self, *, exclusive: bool, if_match: str | None) -> Response:
        """
        Give it the name of its target, where it is old or new at every moment.

        Raises:
            AlreadyExists, InvalidPath, PreconditionFailed: See `staged_write`.
        """
        try:
            response = await rename(
                self._session,
                self._name,
                self._key,
                etag=self._etag,
                exclusive=exclusive,
                if_match=if_match,
            )
        except NotFound as error:
            raise self._gone(error) from error.__cause__
        self._session.calls.settle(self._remove)
        return response

    def _gone(self, error: RemoteStoreError) -> RemoteStoreError:
        if error.code in NO_STORAGE:
            return error
        what = (
            "it may have been written all the same, and replaced since"
            if error.outcome_unknown
            else "nothing was written"
        )
        msg = f"Somebody else removed the temporary file of this write, {what}: {self._key}"
        return PreconditionFailed(
            msg,
            path=self._key,
            backend=NAME,
            status=error.status,
            code=error.code,
            request_id=error.request_id,
            outcome_unknown=error.outcome_unknown,
        )

    async def _remove(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        # A creation that is abandoned on its way may arrive after the removal.
        await asyncio.wait({self._creation}, timeout=seconds / 2)
        await end_all([self._creation])
        try:
            made = await self._made(deadline)
            left = deadline - asyncio.get_running_loop().time()
            response = await dfs.delete(
                self._session, self._name, self._key, accept=(200, 404, 409), timeout=left
            )
            if response.status == 409 and response.code != "PathConflict":  # that is below a file
                raise self._session.error(response)
            if made is not None:
                folder = self._name.rpartition("/")[0]
                await made.remove_folders(self._session, folder, self._key, deadline)
        except RemoteStoreError as error:
            _log.warning(
                "temporary file %r of a write that failed could not be removed; "
                "a listing of its folder removes it after a day: %s",
                self._name,
                error,
            )

    async def _made(self, deadline: float) -> Made | None:
        """Return what its creation made, None if it has made nothing."""
        if not self._creation.cancelled() and self._creation.exception() is None:
            response, made = self._creation.result()
            return made if response.status == 201 else None
        # It got no answer, and may have been done all the same.
        there = await look(self._session, self._name, self._key, deadline=deadline)
        now = asyncio.get_running_loop().time()
        return Made(self._session.etag(there), now - self._begun) if there.status == 200 else None
