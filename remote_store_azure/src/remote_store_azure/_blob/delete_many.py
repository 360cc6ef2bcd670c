"""Deleting many blobs: batches of 256, several at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from remote_store import BackendUnavailable, RemoteStoreError
from remote_store.authoring import first_with_others
from remote_store_azure._blob.headers import deletion
from remote_store_azure._rest.operations import DELETE_BLOB, DELETE_BLOBS
from remote_store_azure._rest.response import Response
from remote_store_objects.authoring import Tasks, Waiting

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session

__all__ = ["delete_all"]

_log = logging.getLogger(__name__)

#: Blobs that one batch may have.
BATCH: Final = 256
#: Batches under way at the same time.
_BATCHES: Final = 4


async def delete_all(
    session: Session,
    path: str | None,
    names: AsyncIterable[str] | Iterable[str],
    *,
    snapshots: bool = False,
) -> None:
    """
    Delete blobs; those that are absent already are fine.

    Every blob is tried whatever happens to the others, unless the service
    cannot be reached. Where it refuses batches, they are deleted one by one.

    Args:
        session: Of the container.
        path: Key that errors of the batches themselves name; an error of a
            blob names the blob.
        names: Names of the blobs. Exceptions of an iterator pass unchanged,
            and end what is under way.
        snapshots: Delete the blobs with their snapshots; else those that have
            some are refused.

    Raises:
        RemoteStoreError: The first error in the order of *names*; its
            ``others`` are the rest of them. With ``outcome_unknown`` if any
            blob was deleted, or may have been.
    """
    deletion = _Deletion(session, path, snapshots)
    try:
        async with deletion.running, aclosing(_batches(names)) as batches:
            async for batch in batches:
                await deletion.add(batch)
            await deletion.finish()
    except RemoteStoreError as error:
        error.outcome_unknown = error.outcome_unknown or deletion.begun
        raise


async def _batches(names: AsyncIterable[str] | Iterable[str]) -> AsyncGenerator[list[str], None]:
    batch: list[str] = []
    async with aclosing(_each(names)) as each:
        async for name in each:
            batch.append(name)
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


async def _each(names: AsyncIterable[str] | Iterable[str]) -> AsyncGenerator[str, None]:
    if not isinstance(names, AsyncIterable):
        for name in names:
            yield name
        return
    try:
        async for name in names:
            yield name
    finally:
        if isinstance(names, AsyncGenerator):
            await names.aclose()


class _Deletion:
    """
    What is being deleted, and what went wrong.

    Attributes:
        running: The batches under way.
        begun: A blob was deleted, or may have been.
    """

    def __init__(self, session: Session, path: str | None, snapshots: bool) -> None:
        self.running = Tasks(_BATCHES)
        self.begun = False
        self._session = session
        self._path = path
        self._errors: dict[int, RemoteStoreError] = {}
        self._started = 0
        self._refused = False
        self._snapshots = snapshots

    async def add(self, names: list[str]) -> None:
        """Start to delete some more, once fewer than four batches are under way."""
        await self.running.start(self._delete, self._started, names)
        self._started += len(names)

    async def finish(self) -> None:
        """Wait until everything is tried, and raise the first error, with all others in it."""
        await self.running.finish()
        if self._errors:
            raise first_with_others(self._errors[index] for index in sorted(self._errors))

    async def _delete(self, start: int, names: list[str]) -> None:
        try:
            await self._delete_each(start, names)
        except asyncio.CancelledError:
            self.begun = True  # what was on its way may have arrived
            raise

    async def _delete_each(self, start: int, names: list[str]) -> None:
        left = list(range(len(names)))
        if len(names) > 1 and not self._refused:
            left = await self._batch(start, names)
        for index in left:
            name = names[index]
            try:
                response = await self._session.send(
                    DELETE_BLOB,
                    self._session.url(name),
                    path=name,
                    headers=deletion(self._snapshots),
                    accept=(202, 404),
                )
            except BackendUnavailable:
                raise
            except RemoteStoreError as error:
                self._errors[start + index] = error
                self.begun = self.begun or error.outcome_unknown
            else:
                self.begun = self.begun or response.status == 202 or response.lost

    async def _batch(self, start: int, names: list[str]) -> list[int]:
        """
        Delete in one request.

        Returns:
            Indices of the names that it did not settle.
        """
        from azure.core.exceptions import AzureError  # loaded with the session

        record, options = self._session.record(DELETE_BLOBS)
        with_them = {"delete_snapshots": "include"} if self._snapshots else {}
        try:
            # The SDK's own method, since each part is signed by itself.
            with Waiting(self._session.calls, self._path, record.in_doubt):
                client = self._session.client
                answers = await client.delete_blobs(
                    *names, raise_on_any_failure=False, **with_them, **options
                )
                parts = [part async for part in answers]
        except AzureError as error:
            ours = self._session.native(error, self._path, record)
            if isinstance(ours, BackendUnavailable) and ours.status != 500:
                raise ours from error
            # A kind of account or of SAS token that has no batches. If the
            # cause is another one, single requests meet and name it.
            self._refused = True
            parts = []
        except RemoteStoreError:
            raise
        except Exception as error:  # noqa: BLE001 - named below
            # The SDK's parser raises any error for what is not the response to a batch.
            _log.debug("the answer to a batch cannot be read: %r", error)
            self._refused = True
            parts = []
        if len(parts) != len(names):
            return list(range(len(names)))
        left = []
        for index, part in enumerate(parts):
            if DELETE_BLOB.lacks(part.status_code, part.headers):
                left.append(index)
                continue
            response = Response(
                part.status_code,
                part.headers,
                part.body(),
                path=names[index],
                lost=record.lost,
                method="DELETE",
            )
            self.begun = self.begun or response.status == 202 or response.lost
            if response.status == 202 or (
                response.status == 404 and response.code == "BlobNotFound"
            ):
                continue
            if response.status in (404, 408, 429) or response.status >= 500:
                left.append(index)
            else:
                self._errors[start + index] = self._session.error(response)
        return left
