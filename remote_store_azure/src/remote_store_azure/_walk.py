"""
Listings of a flat account: what the names of blobs make appear as folders.

A listing asks for no more than what it shows: one folder at a time where a
depth or a pattern excludes folders, else everything below a prefix at once.
It holds one page of names for each level that it is deep.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from attrs import frozen

from remote_store import (
    UNKNOWN_TIME,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    NotFound,
    RemotePath,
)
from remote_store.authoring import LeftOut, is_reserved
from remote_store_azure._headers import digest_of_md5, file_info, is_directory, user_metadata
from remote_store_azure._kinds import head
from remote_store_azure._listing import page, pages, tokens_of
from remote_store_azure._names import lister, prefix_of
from remote_store_azure._progress import Progress

if TYPE_CHECKING:
    from remote_store_azure._listing import Blob
    from remote_store_azure._wire import Wire

__all__ = ["children", "files", "folder_sum", "matches"]

_log = logging.getLogger(__name__)

_WILD: Final = re.compile(r"[*?\[]")

#: What a listing shows of a name, if anything.
_Shown = Callable[[str], RemotePath | None]


def _shown_in(wire: Wire) -> _Shown:
    """Return what one listing shows of the names that it finds."""
    return lister(LeftOut(_log, wire.container))


def _stands_for_its_folder(blob: Blob, shown: _Shown) -> bool:
    """Return True for a blob ``folder/``, by which other tools make a folder if it is empty."""
    return blob.name[-1:] == "/" and shown(blob.name[:-1]) is not None


def _file(path: RemotePath, blob: Blob) -> FileInfo:
    return FileInfo(
        path,
        path.name,
        blob.size,
        blob.last_modified or UNKNOWN_TIME,
        digest_of_md5(blob.md5),
        blob.etag,
        blob.content_type,
        user_metadata(blob.metadata),
    )


@frozen
class _Walk:
    """
    A way through the folders below a prefix.

    Args:
        key: What errors name.
        prefix: What the names of all blobs start with that are asked for.
        enter: Tells whether a folder may hold any of them.
        whole: Tells whether all that is below a folder may be: then it is
            listed at once, and not folder by folder.
    """

    key: str
    prefix: str
    enter: Callable[[str], bool]
    whole: Callable[[str], bool]

    async def blobs(self, wire: Wire, shown: _Shown) -> AsyncGenerator[FileInfo, None]:
        """Yield what is found; nothing where the container is absent."""
        delimiter = "" if self.whole(self.prefix.rpartition("/")[0]) else "/"
        todo = [(self.prefix, delimiter, "")]
        received = False
        progress = Progress(wire, self.key, f"The service's listing of {self.prefix!r}")
        while todo:
            prefix, delimiter, marker = todo.pop()
            try:
                found = await page(
                    wire, self.key, prefix=prefix, delimiter=delimiter, marker=marker
                )
            except NotFound:
                if received:
                    raise
                return
            received = True
            for blob in found.blobs:
                if blob.is_directory or (not blob.size and _stands_for_its_folder(blob, shown)):
                    continue
                path = shown(blob.name)
                if path is not None:
                    yield _file(path, blob)
            if found.marker:
                moved = bool(found.blobs or found.prefixes)
                progress.step(*tokens_of(found, prefix), moved=moved)
                todo.append((prefix, delimiter, found.marker))
            else:
                progress.step(moved=True)
            for below in reversed(found.prefixes):
                folder = below[:-1]
                if shown(folder) is not None and self.enter(folder):
                    todo.append((below, "" if self.whole(folder) else "/", ""))


async def files(
    wire: Wire, key: str, *, recursive: bool, max_depth: int | None
) -> AsyncGenerator[FileInfo, None]:
    """Yield the files of a folder, with *recursive* those down to *max_depth* folders deep."""
    prefix = prefix_of(key)
    above = prefix.count("/")
    depth = max_depth if recursive else 0
    walk = _Walk(
        key,
        prefix,
        enter=lambda folder: depth is None or folder.count("/") - above < depth,
        whole=lambda _: depth is None,
    )
    async with aclosing(walk.blobs(wire, _shown_in(wire))) as found:
        async for info in found:
            yield info


async def matches(wire: Wire, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
    """Yield the files whose key matches; folders that can hold none are not listed."""
    text = pattern.text
    wild = _WILD.search(text)
    if wild is None:
        if not is_reserved(text) and (info := await _one(wire, text)) is not None:
            yield info
        return
    literal = text[: wild.start()]
    beyond = text.find("**")
    closed = text.count("/", 0, beyond) if beyond >= 0 else None
    walk = _Walk(
        text,
        max(prefix_of(pattern.prefix), literal, key=len),
        enter=pattern.may_contain,
        # From the first ``**`` on, a match can be at any depth.
        whole=lambda folder: closed is not None and prefix_of(folder).count("/") >= closed,
    )
    async with aclosing(walk.blobs(wire, _shown_in(wire))) as found:
        async for info in found:
            if pattern.matches(info.path.as_posix()):
                yield info


async def _one(wire: Wire, key: str) -> FileInfo | None:
    answer = await head(wire, key)
    if answer.status == 404 or is_directory(answer.headers):
        return None
    return file_info(key, answer.headers)


async def children(
    wire: Wire, key: str, *, with_files: bool
) -> AsyncGenerator[FileInfo | FolderEntry, None]:
    """Yield the subfolders of a folder, and its files where they are wanted."""
    shown = _shown_in(wire)
    #: Folders that a blob of their own name stands for; there may be blobs below as well.
    marked: set[str] = set()
    async with aclosing(pages(wire, key, prefix=prefix_of(key), delimiter="/")) as found:
        async for one in found:
            for blob in one.blobs:
                if not blob.size and _stands_for_its_folder(blob, shown):
                    continue  # this folder, or one that is among the prefixes
                path = shown(blob.name)
                if path is None:
                    continue
                if blob.is_directory:
                    marked.add(blob.name)
                    yield FolderEntry(path, path.name)
                elif with_files:
                    yield _file(path, blob)
            for prefix in one.prefixes:
                path = shown(prefix[:-1])
                if path is not None and prefix[:-1] not in marked:
                    yield FolderEntry(path, path.name)


async def folder_sum(wire: Wire, key: str) -> FolderInfo | None:
    """Add up what is below a folder; None where there is nothing, NotFound without a container."""
    shown = _shown_in(wire)
    count = size = 0
    latest = UNKNOWN_TIME
    there = False
    async with aclosing(pages(wire, key, prefix=prefix_of(key), required=True)) as found:
        async for one in found:
            for blob in one.blobs:
                there = True
                if blob.is_directory or (not blob.size and _stands_for_its_folder(blob, shown)):
                    continue
                if shown(blob.name) is None:
                    continue
                count += 1
                size += blob.size
                if blob.last_modified is not None:
                    latest = max(latest, blob.last_modified)
    if not there:
        return None
    known = None if latest == UNKNOWN_TIME else latest
    return FolderInfo(RemotePath.from_backend_path(key), count, size, known)
