"""
Writing through blocks of a temporary file whose name the next write of the same file finds.

The Data Lake endpoint does not list what was appended and not flushed, the Blob endpoint
lists blocks. They are those of a name that is made of the target's, so
that blocks of an earlier write are found; the file is there only between their commit
and the rename. Blocks that nobody commits the service drops after a week.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, cast

from remote_store import BackendUnavailable, NotFound, RemoteStoreError, StoreClosed
from remote_store.aio.workers import settle
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.made_folders import Made
from remote_store_azure._datalake.names import beside
from remote_store_azure._datalake.probe import below_file
from remote_store_azure._datalake.rename import rename
from remote_store_objects import Attributes, Body
from remote_store_objects.authoring import Gatherer, Session, Uploading, part_size
from remote_store_objects.http import quoted

if TYPE_CHECKING:
    from remote_store_azure._blob.service import BlobService
    from remote_store_azure._rest.response import Response

__all__ = ["resumed_write"]

_log = logging.getLogger(__name__)

#: Seconds that a cancelled or failed write takes at most to tidy up.
_PATIENCE: Final = 10.0
#: What a block below a file is refused with.
_BELOW: Final = "OperationNotAllowedInCurrentState"


async def resumed_write(
    session: Session,
    key: str,
    first: Sequence[bytes | memoryview],
    rest: Gatherer,
    *,
    exclusive: bool,
    attributes: Attributes,
    if_match: str | None,
) -> tuple[Response, int]:
    """
    Write a file of several blocks, and go on with those that an earlier write left.

    Args:
        session: Of the container.
        key: Of the file.
        first: Its first block.
        rest: What follows.
        exclusive: Only where nothing is.
        attributes: What it keeps beside its bytes.
        if_match: Only in the place of this version, in quotes.

    Returns:
        An answer with the ETag and time of the file, and its size in bytes.

    Raises:
        RemoteStoreError: As `staged_write`. BackendUnavailable leaves the blocks.
    """
    name = beside(key, hashlib.sha256(key.encode()).hexdigest()[:32])
    async with _Draft(session, name, key) as draft:
        async with Uploading(session, name) as uploading:
            await uploading.resume(attributes)
            block = first
            while block:
                await uploading.add(Body(block))
                size = part_size(uploading.count, session.sizes, session.description)
                block = await rest.take(size)
            await draft.commit(uploading)
        return await draft.publish(exclusive=exclusive, if_match=if_match), uploading.size


class _Draft:
    """
    The temporary file from its commit on, which leaving the context removes unless it has its name.

    It stays if the service or the network fails: the next write finds its blocks.

    Args:
        session: Of the container.
        name: Of the temporary file.
        key: The target, which errors name.
    """

    def __init__(self, session: Session, name: str, key: str) -> None:
        self._session = session
        self._service = cast("BlobService", session.service)
        self._name = name
        self._key = key
        self._uploading: Uploading | None = None
        self._begun = 0.0
        self._made: Made | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is GeneratorExit:
            return  # the coroutine is thrown away: there is no loop to wait on
        calls = self._session.calls
        unavailable = isinstance(error, BackendUnavailable) and not isinstance(error, StoreClosed)
        if calls.settle(self._remove) and not unavailable:
            await settle(calls.spare(self._remove(_PATIENCE)))
        if not isinstance(error, RemoteStoreError) or error.path != self._name:
            return
        if error.code == _BELOW and (below := await below_file(self._service.http, self._key)):
            raise below from error
        error.path = self._key
        error.args = tuple(
            each.replace(self._name, self._key) if isinstance(each, str) else each
            for each in error.args
        )
        if isinstance(error, OSError):
            error.filename = self._key

    async def commit(self, uploading: Uploading) -> None:
        """Make the temporary file of the blocks."""
        await uploading.sent()
        self._uploading = uploading
        self._begun = asyncio.get_running_loop().time()
        self._session.calls.owe(self._remove, self._key)
        written = await uploading.commit(exclusive=False)
        self._made = self._since(written.etag)

    def _since(self, etag: str | None) -> Made:
        return Made(quoted(etag) or "", asyncio.get_running_loop().time() - self._begun)

    async def publish(self, *, exclusive: bool, if_match: str | None) -> Response:
        """
        Give it the name of its target.

        Raises:
            RemoteStoreError: As `rename`.
        """
        assert self._made is not None
        response = await rename(
            self._service.http,
            self._name,
            self._key,
            etag=self._made.etag,
            exclusive=exclusive,
            if_match=if_match,
        )
        self._session.calls.settle(self._remove)
        return response

    async def _remove(self, seconds: float) -> None:
        """Remove the version that this write committed, if it did; never raises."""
        deadline = asyncio.get_running_loop().time() + seconds
        http = self._service.http
        try:
            async with asyncio.timeout(seconds):
                made = self._made or await self._committed()
            if made is None:
                return
            await dfs.delete(
                http,
                self._name,
                self._key,
                etag=made.etag,
                accept=(200, 404, 412),
                timeout=deadline - asyncio.get_running_loop().time(),
            )
            folder = self._name.rpartition("/")[0]
            await made.remove_folders(http, folder, self._key, deadline)
        except (RemoteStoreError, TimeoutError) as error:
            _log.warning(
                "temporary file %r of a write that failed could not be removed; "
                "a listing of its folder removes it after a day: %r",
                self._name,
                error,
            )

    async def _committed(self) -> Made | None:
        """Return what a commit made whose answer nobody has."""
        assert self._uploading is not None
        try:
            written = await self._uploading.committed()
        except NotFound:
            return None
        return self._since(written.etag) if written else None
