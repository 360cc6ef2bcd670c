"""Renaming a file: the one step that makes a draft visible, or moves a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from attrs import evolve

from remote_store import PreconditionFailed, RemoteStoreError
from remote_store.aio.workers import settle
from remote_store_azure._blob.probe import head
from remote_store_azure._blob.refusals import error_as, replaced
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._datalake.made_folders import Made, made_by
from remote_store_azure._datalake.probe import refused
from remote_store_objects.authoring import Waiting, end_all, in_doubt, untouched

if TYPE_CHECKING:
    from remote_store_azure._http.session import Session
    from remote_store_azure._rest.response import Response

__all__ = ["rename"]

#: Seconds that the removal of a folder takes at most which was made for nothing.
_PATIENCE: Final = 10.0
#: How often the folder of a destination is made, which another client removes each time.
_TRIES: Final = 3


async def rename(
    session: Session,
    source: str,
    target: str,
    *,
    etag: str,
    exclusive: bool,
    if_match: str | None = None,
) -> Response:
    """
    Rename one version of a file, and replace a file at *target* unless *exclusive*.

    The new name keeps the version's ETag: by it a rename whose answer was
    lost recognises its own success.

    Args:
        session: Of the container.
        source: Its name.
        target: The new one. Its folder is made if it is missing, which takes
            two more requests, and taken away again if nothing comes of it.
        etag: The version, in quotes.
        exclusive: Only where nothing is.
        if_match: Only in the place of this version, in quotes.

    Returns:
        An answer with the ETag and time of the file under its new name.

    Raises:
        NotFound: There is no *source*. With ``outcome_unknown`` if an attempt
            got no answer: it may have been renamed, and replaced since.
        PreconditionFailed: *source* is another version by now, or what is at
            *target* is not *if_match*.
        AlreadyExists: *exclusive*, and there is a file at *target*.
        InvalidPath: *target* is a folder, or lies under a file.
    """
    lost = False
    async with _Parent(session, target) as parent:
        left = _TRIES
        while True:
            left -= 1
            response = await dfs.rename(
                session, source, target, etag=etag, exclusive=exclusive, if_match=if_match
            )
            if response.status == 201:
                return response
            response.lost = lost = lost or response.lost
            if lost:
                with in_doubt(True):
                    there = await head(session, target)
                if there.status == 200 and there.headers.get("ETag") == etag:
                    return there
            if response.code != "RenameDestinationParentPathNotFound" or not left:
                raise await _reason(
                    session, source, response, exclusive=exclusive, replaces=if_match is not None
                )
            with in_doubt(lost), untouched():
                await parent.make()


class _Parent:
    """
    The folder of a destination; one that was made for nothing goes with an exception.

    Args:
        session: Of the container.
        target: The destination.
    """

    def __init__(self, session: Session, target: str) -> None:
        self._session = session
        self._target = target
        self._folder = target.rpartition("/")[0]
        self._making: list[asyncio.Task[tuple[Response, Made]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A coroutine that is thrown away has no loop to wait on.
        if self._making and kind is not None and kind is not GeneratorExit:
            await settle(self._session.calls.spare(self._remove()))

    async def make(self) -> None:
        """Make it, unless it is there by now."""
        making = self._session.calls.spare(
            made_by(dfs.create_folder(self._session, self._folder, self._target))
        )
        self._making.append(making)
        with Waiting(self._session.calls, self._target, False):
            await asyncio.shield(making)

    async def _remove(self) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        await asyncio.wait(self._making, timeout=_PATIENCE / 2)
        await end_all(self._making)
        for making in reversed(self._making):
            if making.cancelled() or making.exception() is not None:
                continue
            response, made = making.result()
            if response.status == 201:
                await made.remove_folders(self._session, self._folder, self._target, deadline)
                return


async def _reason(
    session: Session, source: str, response: Response, *, exclusive: bool, replaces: bool
) -> RemoteStoreError:
    if replaces and response.code == "RenameDestinationParentPathNotFound":
        return replaced(session, response, unknown=response.lost)
    if response.status == 404:
        missing = (
            response if response.code.startswith("RenameDest") else evolve(response, path=source)
        )
        return session.error(missing, outcome_unknown=response.lost)
    if response.code == "SourceConditionNotMet":
        msg = f"The source was changed by somebody else meanwhile; it stays: {source}"
        return error_as(
            session, response, PreconditionFailed, msg, source, outcome_unknown=response.lost
        )
    # Another file there is never ours: its ETag would have shown it.
    return await refused(
        session, response, exclusive=exclusive, replaces=replaces, ours=lambda _: False
    )
