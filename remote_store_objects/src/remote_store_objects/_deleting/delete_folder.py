"""Deleting a folder: everything below it in batches, and the object that stands for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from remote_store import (
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store.authoring import first_with_others, folder_not_empty, is_a_file
from remote_store_objects._deleting.delete import delete_version
from remote_store_objects._keys import prefix_of
from remote_store_objects._protocol.values import ObjectInfo, StorageNotFound
from remote_store_objects._reading.pages import pages
from remote_store_objects._reading.probe import below, head
from remote_store_objects._session.outcome import in_doubt
from remote_store_objects._session.session import Session
from remote_store_objects._session.tasks import Tasks

__all__ = ["BATCHES", "SINGLE", "delete_folder"]

#: Batches, or single deletions where there are none, that are under way at the same time.
BATCHES: Final = 4
SINGLE: Final = 16


async def delete_folder(session: Session, key: str, *, recursive: bool, missing_ok: bool) -> None:
    """
    Delete all that is below a folder, and the object that stands for it.

    Raises:
        NotFound: There is nothing, and *missing_ok* is False.
        InvalidPath: It is a file.
        DirectoryNotEmpty: There is something in it, and *recursive* is False.
        RemoteStoreError: Objects below could not be deleted; all others are.
    """
    there = False
    try:
        there = await (_delete_below if recursive else _remove_mark)(session, key)
        if there and not session.description.folder_marks:
            return
        with in_doubt(there):
            mark = await _folder_mark(session, key)
    except InvalidPath:
        if there:
            return
        raise
    except NotFound:
        if there or missing_ok:
            return
        raise
    with in_doubt(there):
        await delete_version(session, key, mark.etag)


async def _folder_mark(session: Session, key: str) -> ObjectInfo:
    """
    Return the object that stands for a folder without content.

    Raises:
        InvalidPath: It is a file.
        NotFound: There is nothing.
    """
    info = await head(session, key)
    if not info.is_folder:
        raise is_a_file(key, session.name)
    return info


async def _remove_mark(session: Session, key: str) -> bool:
    """
    Remove the object in a folder that stands for it; return True if that was all it had.

    Raises:
        DirectoryNotEmpty: There is something else.
    """
    found = await below(session, key, 2)
    if not found:
        return False
    first = found[0]
    empty = len(found) == 1 and first.key == prefix_of(key) and not first.size
    if not (empty and await delete_version(session, first.key, first.etag)):
        raise folder_not_empty(key, session.name)
    return True


async def _delete_below(session: Session, key: str) -> bool:
    """Delete every object below a folder; return whether there were any."""
    deletion = _Deletion(session, key)
    try:
        async with deletion.running, aclosing(deletion.batches()) as batches:
            async for batch in batches:
                await deletion.add(batch)
            await deletion.finish()
    except RemoteStoreError as error:
        error.outcome_unknown = error.outcome_unknown or deletion.begun
        raise
    return deletion.there


class _Deletion:
    """
    What is being deleted, and what went wrong.

    Every object is tried whatever happens to the others, unless the service
    cannot be reached. Where it refuses batches, they are deleted one by one.

    Attributes:
        running: What is under way.
        begun: An object was deleted, or may have been.
        there: There was one.
    """

    def __init__(self, session: Session, key: str) -> None:
        self.begun = False
        self.there = False
        self._session = session
        self._key = key
        self._errors: dict[int, RemoteStoreError] = {}
        self._started = 0
        self._single = session.description.batch < 2
        self.running = Tasks(SINGLE if self._single else BATCHES)

    async def batches(self) -> AsyncGenerator[list[str], None]:
        """Yield the keys of the objects, also of those that no listing shows."""
        limits = self._session.description
        size = 1 if self._single else min(limits.batch, limits.page)
        batch: list[str] = []
        found = pages(
            self._session, self._key, prefix=prefix_of(self._key), required=True, keys_only=True
        )
        async with aclosing(found):
            async for one in found:
                for info in one.objects:
                    self.there = True
                    batch.append(info.key)
                    if len(batch) == size:
                        yield batch
                        batch = []
        if batch:
            yield batch

    async def add(self, keys: list[str]) -> None:
        """Start to delete some more, once fewer than the allowed number are under way."""
        await self.running.start(self._delete, self._started, keys)
        self._started += len(keys)

    async def finish(self) -> None:
        """Wait until everything is tried, and raise the first error, with all others in it."""
        await self.running.finish()
        if self._errors:
            raise first_with_others(self._errors[index] for index in sorted(self._errors))

    async def _delete(self, start: int, keys: list[str]) -> None:
        try:
            left = list(range(len(keys)))
            if not self._single and len(keys) > 1:
                left = await self._batch(start, keys)
            for index in left:
                await self._delete_one(start + index, keys[index])
        except asyncio.CancelledError:
            self.begun = True  # what was on its way may have arrived
            raise

    async def _delete_one(self, index: int, key: str) -> None:
        session = self._session
        try:
            await session.change(key, session.service.delete, key)
        except NotFound as error:
            self.begun = self.begun or error.outcome_unknown
        except BackendUnavailable:
            raise
        except RemoteStoreError as error:
            self._errors[index] = error
            self.begun = self.begun or error.outcome_unknown
        else:
            self.begun = True

    async def _batch(self, start: int, keys: list[str]) -> list[int]:
        """Delete in one request; return the indices of the keys that it did not settle."""
        session = self._session
        try:
            refused = await session.change(self._key, session.service.delete_many, keys)
        except (BackendUnavailable, PermissionDenied, StorageNotFound):
            raise
        except RemoteStoreError as error:
            # A kind of account that has no batches, for example. If the cause
            # is another one, single requests meet and name it.
            self.begun = self.begun or error.outcome_unknown
            self._single = True
            return list(range(len(keys)))
        self.begun = self.begun or len(refused) < len(keys)
        if not refused.keys() <= set(keys):  # it does not tell which: all are tried again
            return list(range(len(keys)))
        left = []
        for index, key in enumerate(keys):
            refusal = refused.get(key)
            if isinstance(refusal, BackendUnavailable):
                left.append(index)
            elif refusal is not None and not isinstance(refusal, NotFound):
                session.name_error(refusal, key)
                self._errors[start + index] = refusal
        return left
