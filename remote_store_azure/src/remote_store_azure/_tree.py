"""
Listings of a hierarchical account.

A listing asks for no more than what it shows: one folder at a time where a
depth or a pattern excludes folders, else all that is below a folder at once.
It removes temporary files that it meets and whose writer is long gone.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Final

from attrs import frozen

from remote_store import (
    UNKNOWN_TIME,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    RemotePath,
    RemoteStoreError,
)
from remote_store.authoring import RESERVED_PREFIX, LeftOut, first_with_others, is_reserved
from remote_store_azure import _dfs as dfs
from remote_store_azure._drafts import STALE
from remote_store_azure._headers import file_info, is_directory
from remote_store_azure._kinds import head
from remote_store_azure._names import lister, prefix_of
from remote_store_azure._paths import Entry, page
from remote_store_azure._places import loses_dots
from remote_store_azure._progress import Progress

if TYPE_CHECKING:
    from remote_store_azure._wire import Wire

__all__ = ["children", "files", "folder_sum", "matches"]

_log = logging.getLogger(__name__)

#: Temporary files that one listing removes at most, so that it does not take for ever.
_SWEPT: Final = 16


async def files(
    wire: Wire, key: str, *, recursive: bool, max_depth: int | None
) -> AsyncGenerator[FileInfo, None]:
    """Yield the files of a folder, with *recursive* those down to *max_depth* folders deep."""
    depth = max_depth if recursive else 0
    above = prefix_of(key).count("/")
    walk = _Walk(
        key,
        enter=lambda folder: depth is None or folder.count("/") - above < depth,
        whole=lambda _: depth is None,
    )
    async with aclosing(walk.entries(wire)) as found:
        async for path, entry in found:
            if not entry.is_folder:
                yield _file(path, entry)


async def matches(wire: Wire, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
    """Yield the files whose key matches; folders that can hold none are not listed."""
    text = pattern.text
    if loses_dots(pattern.prefix):
        return
    if not any(wild in text for wild in "*?["):
        if (
            not (is_reserved(text) or loses_dots(text))
            and (info := await _one(wire, text)) is not None
        ):
            yield info
        return
    beyond = text.find("**")
    closed = text.count("/", 0, beyond) if beyond >= 0 else None
    walk = _Walk(
        pattern.prefix,
        enter=pattern.may_contain,
        # From the first ``**`` on, a match can be at any depth.
        whole=lambda folder: closed is not None and prefix_of(folder).count("/") >= closed,
    )
    async with aclosing(walk.entries(wire)) as found:
        async for path, entry in found:
            if not entry.is_folder and pattern.matches(entry.name):
                yield _file(path, entry)


async def _one(wire: Wire, key: str) -> FileInfo | None:
    answer = await head(wire, key)
    if answer.status == 404 or is_directory(answer.headers):
        return None
    return file_info(key, answer.headers)


async def children(
    wire: Wire, key: str, *, with_files: bool
) -> AsyncGenerator[FileInfo | FolderEntry, None]:
    """Yield the subfolders of a folder, and its files where they are wanted."""
    walk = _Walk(key, enter=lambda _: False, whole=lambda _: False)
    async with aclosing(walk.entries(wire)) as found:
        async for path, entry in found:
            if entry.is_folder:
                yield FolderEntry(path, path.name)
            elif with_files:
                yield _file(path, entry)


async def folder_sum(wire: Wire, key: str) -> FolderInfo:
    """Add up what is below a folder that is there, or the root."""
    walk = _Walk(key, enter=lambda _: True, whole=lambda _: True, known=True)
    count = size = 0
    latest = UNKNOWN_TIME
    async with aclosing(walk.entries(wire)) as found:
        async for _, entry in found:
            if not entry.is_folder:
                count += 1
                size += entry.size
                latest = max(latest, entry.modified)
    known = None if latest == UNKNOWN_TIME else latest
    return FolderInfo(RemotePath.from_backend_path(key), count, size, known)


def _file(path: RemotePath, entry: Entry) -> FileInfo:
    return FileInfo(path, path.name, entry.size, entry.modified, None, entry.etag)


@frozen
class _Walk:
    """
    A way through the folders below one.

    Args:
        key: The folder.
        enter: Tells whether a folder below it is to be listed.
        whole: Tells whether all that is below a folder is wanted: then it is
            listed at once, and not folder by folder.
        known: It is known to be a folder. Nobody knows what the service
            answers to who lists a file.
    """

    key: str
    enter: Callable[[str], bool]
    whole: Callable[[str], bool]
    known: bool = False

    async def entries(self, wire: Wire) -> AsyncGenerator[tuple[RemotePath, Entry], None]:
        """
        Yield all that a listing may show; nothing where there is no folder.

        Raises:
            PermissionDenied: Folders below may not be listed: the first such
                error, in its ``others`` the rest, once everything else is
                yielded. For the first folder itself at once.
        """
        if self.key and not self.known:
            answer = await head(wire, self.key)
            if answer.status == 404 or not is_directory(answer.headers):
                return
        shown = lister(LeftOut(_log, wire.container))
        broom = _Broom(wire)
        todo = [(self.key, "", self.whole(self.key))]
        errors: list[RemoteStoreError] = []
        progress = Progress(wire, self.key, f"The service's listing of {self.key!r}")
        while todo:
            folder, continuation, at_once = todo.pop()
            first = folder == self.key
            try:
                found = await page(
                    wire,
                    folder,
                    recursive=at_once,
                    continuation=continuation,
                    required=self.known and first,
                )
            except RemoteStoreError as error:
                refusal = _is_of_one_folder(error)
                if refusal and at_once and not continuation:
                    todo.append((folder, "", False))  # it may be any folder below that refuses
                elif refusal and not first:
                    errors.append(error)
                else:
                    first_with_others([error, *errors])
                    raise
                continue
            if found is None:
                continue  # removed meanwhile
            below: list[tuple[str, str, bool]] = []
            for entry in found.entries:
                path = shown(entry.name)
                if path is not None:
                    yield path, entry
                    if entry.is_folder and not at_once and self.enter(entry.name):
                        below.append((entry.name, "", self.whole(entry.name)))
                elif _is_draft(entry):
                    await broom.sweep(entry, found.time)
            if found.continuation:
                start = f"path {found.entries[0].name}" if found.entries else ""
                token = f"continuation {folder}\n{found.continuation}"
                progress.step(token, start, moved=bool(found.entries))
                todo.append((folder, found.continuation, at_once))
            else:
                progress.step(moved=True)
            todo += reversed(below)
        if errors:
            raise first_with_others(errors)


def _is_of_one_folder(error: RemoteStoreError) -> bool:
    """Return True for a refusal by access rights, which differ from folder to folder."""
    return error.status == 403 and error.code == "AuthorizationPermissionMismatch"


def _is_draft(entry: Entry) -> bool:
    return not entry.is_folder and entry.name.rpartition("/")[2].startswith(RESERVED_PREFIX)


class _Broom:
    """Removes what writers left that were killed; nobody waits for it or hears of its failures."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._left = _SWEPT

    async def sweep(self, entry: Entry, now: datetime) -> None:
        """Remove a temporary file if it is old by the service's own clock, and as it was listed."""
        if UNKNOWN_TIME in (entry.modified, now) or not self._left or entry.etag is None:
            return
        if (now - entry.modified).total_seconds() <= STALE:
            return
        self._left -= 1
        try:
            await dfs.delete(
                self._wire, entry.name, entry.name, etag=f'"{entry.etag}"', accept=(200, 404, 412)
            )
        except RemoteStoreError as error:
            self._left = 0  # the next one would not fare better
            _log.debug("stale temporary file %r could not be removed: %s", entry.name, error)
