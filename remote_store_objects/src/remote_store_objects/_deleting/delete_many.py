"""Deleting files that are named, in batches, with what a single request would tell of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from os.path import commonprefix
from typing import Final, cast

from remote_store import (
    BackendUnavailable,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store.authoring import cannot_delete_many, error_about
from remote_store_objects._deleting.delete import delete, refused_as_missing
from remote_store_objects._deleting.delete_folder import BATCHES, SINGLE
from remote_store_objects._keys import too_long
from remote_store_objects._protocol.description import Condition
from remote_store_objects._protocol.values import StorageNotFound
from remote_store_objects._reading.pages import pages
from remote_store_objects._session.session import Session
from remote_store_objects._session.tasks import Tasks

__all__ = ["delete_many"]

#: Keys that one page of a look has to spare a request each for.
_WORTH: Final = 8


async def delete_many(
    session: Session, wanted: Mapping[str, str | None], *, missing_ok: bool
) -> Mapping[str, RemoteStoreError]:
    """
    Delete files; each has the result that `delete` has.

    Args:
        session: To ask; its service has batches.
        wanted: Keys, each with the version that may be deleted; None for
            whichever is there.
        missing_ok: A missing file is no error.

    Returns:
        What was not deleted, with its error.

    Raises:
        CapabilityNotSupported: Nothing can be done in batches; nothing was done.
    """
    named = [key for key, etag in wanted.items() if _may_be_in_a_batch(session, key, etag)]
    if not session.description.batch_tells:
        named = await _present(session, named)
    if len(named) < 2:
        raise cannot_delete_many(session.name)
    return await _Deletion(session, wanted, missing_ok=missing_ok).run(named)


def _may_be_in_a_batch(session: Session, key: str, etag: str | None) -> bool:
    limits = session.description
    if too_long(key, limits):
        return False
    compares = limits.batch_tells and Condition.DELETE_IF_MATCH in limits.conditions
    return etag is None or (compares and limits.etags)


async def _present(session: Session, keys: Sequence[str]) -> list[str]:
    """
    Return those of *keys* that a listing shows, if it takes far fewer requests than they do.

    Of all others, single requests tell whether they are missing or folders.
    """
    prefix = commonprefix(keys)  # noqa: RUF071 - of characters, as listings take it
    if not session.description.any_prefix:
        prefix = prefix[: prefix.rfind("/") + 1]
    one_folder = len({key.rpartition("/")[0] for key in keys}) == 1
    left = len(keys) // _WORTH
    missing, present = set(keys), []
    found = pages(
        session, prefix, prefix=prefix, delimiter="/" if one_folder else "", keys_only=True
    )
    try:
        async with aclosing(found):
            while missing and left:
                page = await anext(found, None)
                if page is None:
                    break
                left -= 1
                for info in page.objects:
                    if info.key in missing:
                        missing.discard(info.key)
                        present.append(info.key)
    except RemoteStoreError:
        # Credentials may allow to delete and not to list.
        return present
    return present


class _Deletion:
    """
    One call.

    Args:
        session: To ask.
        wanted: Keys and versions.
        missing_ok: A missing file is no error.
    """

    def __init__(
        self, session: Session, wanted: Mapping[str, str | None], *, missing_ok: bool
    ) -> None:
        self._session = session
        self._wanted = wanted
        self._missing_ok = missing_ok
        self._errors: dict[str, RemoteStoreError] = {}
        #: What no batch has settled, and whether it may have been deleted nevertheless.
        self._left: dict[str, bool] = {}
        #: What was not found, where a folder may be instead.
        self._missing: dict[str, NotFound] = {}
        self._refused = False

    async def run(self, named: Sequence[str]) -> Mapping[str, RemoteStoreError]:
        """Delete *named* in batches, and all others one by one."""
        self._left = dict.fromkeys(self._wanted.keys() - set(named), False)
        size = self._session.description.batch
        async with Tasks(BATCHES) as running:
            for start in range(0, len(named), size):
                await running.start(self._batch, named[start : start + size])
            await running.finish()
        async with Tasks(SINGLE) as running:
            for key, lost in self._left.items():
                await running.start(self._one, key, lost)
            for key, refusal in self._missing.items():
                await running.start(self._miss, key, refusal)
            await running.finish()
        return self._errors

    async def _batch(self, keys: Sequence[str]) -> None:
        if self._refused:
            self._leave(keys, lost=False)
            return
        etags = {key: etag for key in keys if (etag := self._wanted[key]) is not None}
        options = {"etags": etags} if etags else {}
        lost = False

        async def attempt() -> Mapping[str, RemoteStoreError]:
            nonlocal lost
            try:
                return await self._session.service.delete_many(keys, **options)
            except RemoteStoreError as error:
                lost = lost or error.outcome_unknown
                raise
            except BaseException:
                lost = True
                raise

        try:
            refused = await self._session.change(keys[0], attempt)
        except StorageNotFound as error:
            self._missing |= {key: cast("NotFound", error_about(error, key)) for key in keys}
        except BackendUnavailable as error:
            self._errors |= {key: error_about(error, key) for key in keys}
        except RemoteStoreError as error:
            # A kind of account that has no batches, for example. If the cause
            # is another one, single requests meet and name it.
            self._refused = True
            self._leave(keys, lost=error.outcome_unknown)
        else:
            self._settle(keys, refused, lost)

    def _settle(
        self, keys: Sequence[str], refused: Mapping[str, RemoteStoreError], lost: bool
    ) -> None:
        if not refused.keys() <= set(keys):  # it does not tell which
            self._leave(keys, lost=True)
            return
        tells = self._session.description.batch_tells
        for key, error in refused.items():
            if lost:
                error.outcome_unknown = True
            if not tells or isinstance(error, (BackendUnavailable, PreconditionFailed)):
                self._leave([key], lost=error.outcome_unknown)
            elif isinstance(error, NotFound):
                self._missing[key] = error
            else:
                self._session.name_error(error, key)
                self._errors[key] = error

    def _leave(self, keys: Iterable[str], *, lost: bool) -> None:
        self._left |= dict.fromkeys(keys, lost)

    async def _miss(self, key: str, refusal: NotFound) -> None:
        """Find out what there is instead, unless a deletion whose answer was lost is why."""
        try:
            error = await refused_as_missing(
                self._session, key, refusal, missing_ok=self._missing_ok
            )
        except RemoteStoreError as unknown:
            error = unknown
        if error is not None:
            self._errors[key] = error

    async def _one(self, key: str, lost: bool) -> None:
        try:
            await delete(
                self._session, key, missing_ok=self._missing_ok, if_match=self._wanted[key]
            )
        except RemoteStoreError as error:
            if lost and isinstance(error, (NotFound, InvalidPath)):
                return  # the batch has done it
            error.outcome_unknown = error.outcome_unknown or lost
            self._errors[key] = error
