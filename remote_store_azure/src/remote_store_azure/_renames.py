"""Renaming a file: the one step that makes a draft visible, or moves a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import evolve

from remote_store import PreconditionFailed, RemoteStoreError
from remote_store_azure import _dfs as dfs
from remote_store_azure._doubt import in_doubt, untouched
from remote_store_azure._folders import Made, made_by
from remote_store_azure._kinds import head
from remote_store_azure._moves import typed
from remote_store_azure._places import refused

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
            two more requests.
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
    left = _TRIES
    lost = False
    unused: Made | None = None
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
            if unused is not None and not lost:
                deadline = asyncio.get_running_loop().time() + _PATIENCE
                await unused.remove_folders(wire, target.rpartition("/")[0], target, deadline)
            raise await _reason(wire, source, answer, exclusive=exclusive)
        folder = target.rpartition("/")[0]
        with in_doubt(lost), untouched():
            created, made = await made_by(dfs.create_folder(wire, folder, target))
            unused = made if created.status == 201 else unused


async def _reason(wire: Wire, source: str, answer: Answer, *, exclusive: bool) -> RemoteStoreError:
    if answer.status == 404:
        missing = answer if answer.code.startswith("RenameDest") else evolve(answer, path=source)
        return wire.error(missing, outcome_unknown=answer.lost)
    if answer.code == "SourceConditionNotMet":
        msg = f"The source was changed by somebody else meanwhile; it stays: {source}"
        return typed(wire, answer, PreconditionFailed, msg, source, outcome_unknown=answer.lost)
    # Another file there is never ours: its ETag would have told.
    return await refused(wire, answer, exclusive=exclusive, ours=lambda _: False)
