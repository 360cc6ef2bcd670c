"""Renaming a file: the one step that makes a draft visible, or moves a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from attrs import evolve

from remote_store import PreconditionFailed, RemoteStoreError
from remote_store.aio.workers import settle
from remote_store_azure import _dfs as dfs
from remote_store_azure._doubt import in_doubt, untouched
from remote_store_azure._folders import Made, made_by
from remote_store_azure._kinds import head
from remote_store_azure._moves import typed
from remote_store_azure._places import refused
from remote_store_azure._tasks import end_all

if TYPE_CHECKING:
    from remote_store_azure._wire import Answer, Wire

__all__ = ["rename"]

#: Seconds that the removal of a folder takes at most which was made for nothing.
_PATIENCE: Final = 10.0
#: How often the folder of a destination is made, which somebody else removes each time.
_TRIES: Final = 3


async def rename(wire: Wire, source: str, target: str, *, etag: str, exclusive: bool) -> Answer:
    """
    Rename one version of a file, and replace a file at *target* unless *exclusive*.

    The new name keeps the version's ETag: by it a rename whose answer was
    lost recognises its own success.

    Args:
        wire: The container.
        source: Its name.
        target: The new one. Its folder is made if it is missing, which takes
            two more requests, and taken away again if nothing comes of it.
        etag: The version, in quotes.
        exclusive: Only where nothing is.

    Returns:
        An answer with the ETag and time of the file under its new name.

    Raises:
        NotFound: There is no *source*. With ``outcome_unknown`` if an attempt
            got no answer: it may have been renamed, and replaced since.
        PreconditionFailed: *source* is another version by now.
        AlreadyExists: *exclusive*, and there is a file at *target*.
        InvalidPath: *target* is a folder, or lies under a file.
    """
    lost = False
    async with _Parent(wire, target) as parent:
        left = _TRIES
        while True:
            left -= 1
            answer = await dfs.rename(wire, source, target, etag=etag, exclusive=exclusive)
            if answer.status == 201:
                return answer
            answer.lost = lost = lost or answer.lost
            if lost:
                with in_doubt(True):
                    there = await head(wire, target)
                if there.status == 200 and there.headers.get("ETag") == etag:
                    return there
            if answer.code != "RenameDestinationParentPathNotFound" or not left:
                raise await _reason(wire, source, answer, exclusive=exclusive)
            with in_doubt(lost), untouched():
                await parent.make()


class _Parent:
    """
    The folder of a destination; one that was made for nothing goes with an exception.

    Args:
        wire: The container.
        target: The destination.
    """

    def __init__(self, wire: Wire, target: str) -> None:
        self._wire = wire
        self._target = target
        self._folder = target.rpartition("/")[0]
        self._making: list[asyncio.Task[tuple[Answer, Made]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A coroutine that is thrown away has no loop to wait on.
        if self._making and kind is not None and kind is not GeneratorExit:
            await settle(self._wire.spare(self._remove()))

    async def make(self) -> None:
        """Make it, unless it is there by now."""
        making = self._wire.spare(
            made_by(dfs.create_folder(self._wire, self._folder, self._target))
        )
        self._making.append(making)
        with self._wire.waiting(self._target):
            await asyncio.shield(making)

    async def _remove(self) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        await asyncio.wait(self._making, timeout=_PATIENCE / 2)
        await end_all(self._making)
        for making in reversed(self._making):
            if making.cancelled() or making.exception() is not None:
                continue
            answer, made = making.result()
            if answer.status == 201:
                await made.remove_folders(self._wire, self._folder, self._target, deadline)
                return


async def _reason(wire: Wire, source: str, answer: Answer, *, exclusive: bool) -> RemoteStoreError:
    if answer.status == 404:
        missing = answer if answer.code.startswith("RenameDest") else evolve(answer, path=source)
        return wire.error(missing, outcome_unknown=answer.lost)
    if answer.code == "SourceConditionNotMet":
        msg = f"The source was changed by somebody else meanwhile; it stays: {source}"
        return typed(wire, answer, PreconditionFailed, msg, source, outcome_unknown=answer.lost)
    # Another file there is never ours: its ETag would have told.
    return await refused(wire, answer, exclusive=exclusive, ours=lambda _: False)
