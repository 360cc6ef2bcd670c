"""
Listings: what the keys of objects make appear as folders.

A listing asks for no more than what it shows: one folder at a time where a
depth or a pattern excludes folders, else everything below a prefix at once.
It holds one page for each level that it is deep.

What is shown comes in one plain iterator for each page: to hand on an entry
through an async generator costs as much as to make it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Final, TypeAlias, TypeVar

from attrs import frozen

from remote_store import (
    UNKNOWN_TIME,
    ContentHeaders,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    PermissionDenied,
    RemotePath,
    RemoteStoreError,
)
from remote_store.authoring import first_with_others, is_reserved
from remote_store_objects._keys import Shown, prefix_of, shown_in, too_long
from remote_store_objects._protocol.description import Description
from remote_store_objects._protocol.values import ObjectInfo, Page, StorageNotFound
from remote_store_objects._reading.pages import first_of, page, pages
from remote_store_objects._reading.probe import find
from remote_store_objects._session.progress import Progress
from remote_store_objects._session.session import Session

__all__ = ["Entries", "children", "file_info", "files", "folder_sum", "is_literal", "matches"]

T = TypeVar("T")

#: What a listing shows: of each page an iterator, exhausted before the next is asked for.
Entries: TypeAlias = AsyncGenerator[Iterator[T], None]

_WILD: Final = re.compile(r"[*?\[]")


def file_info(
    path: RemotePath,
    info: ObjectInfo,
    description: Description,
    headers: ContentHeaders | None = None,
) -> FileInfo:
    """Return what a store shows of an object; *headers* only of one that was asked for."""
    return FileInfo(
        path,
        path.name,
        info.size,
        info.modified or UNKNOWN_TIME,
        info.digest,
        info.etag if description.etags else None,
        info.content_type,
        info.metadata or None,
        None,
        headers,
    )


def _stands_for_folder(info: ObjectInfo, shown: Shown) -> bool:
    """Return True for an object that is no file: a mark, or an empty ``folder/``."""
    if info.is_folder:
        return True
    return info.key[-1:] == "/" and not info.size and shown(info.key[:-1]) is not None


@frozen
class _Walk:
    """
    A way through the folders below a prefix.

    Args:
        key: What errors name.
        prefix: What the keys of all objects begin with that are asked for.
        enter: Tells whether a folder may hold any of them.
        whole: Tells whether all that is below a folder may be: then it is
            listed at once, and not folder by folder.
    """

    key: str
    prefix: str
    enter: Callable[[str], bool]
    whole: Callable[[str], bool]

    async def files(self, session: Session, shown: Shown) -> Entries[FileInfo]:
        """Yield the files of `pages`."""
        async with aclosing(self.pages(session, shown)) as found:
            async for one in found:
                yield _files_on(one, shown, session.description)

    async def pages(
        self, session: Session, shown: Shown, *, required: bool = False
    ) -> AsyncGenerator[Page, None]:
        """
        Yield what is found; nothing where the bucket is absent and it is not *required*.

        Raises:
            StorageNotFound: The bucket is absent, and is *required* or was there.
            PermissionDenied: Folders below may not be listed: the first such
                error, in its ``others`` the rest, once everything else is
                yielded.
        """
        description = session.description
        if too_long(self.prefix, description):
            return
        delimiter = "" if self.whole(self.prefix.rpartition("/")[0]) else "/"
        todo = [(self.prefix, delimiter, "")]
        errors: list[RemoteStoreError] = []
        entered: set[str] | None = None if description.delimiter else set()
        progress = Progress(session, self.key, f"The service's listing of {self.prefix!r}")
        while todo:
            prefix, delimiter, token = todo.pop()
            try:
                found = await page(
                    session, self.key, prefix=prefix, delimiter=delimiter, token=token
                )
            except StorageNotFound:
                if required:
                    raise
                return
            except PermissionDenied as error:
                errors.append(error)
                continue
            required = True  # it was there
            yield found
            if found.token:
                place = f"{delimiter}{prefix}\n{found.token}"
                moved = bool(found.objects or found.prefixes)
                progress.step(place, first=first_of(found, description), moved=moved)
                todo.append((prefix, delimiter, found.token))
            else:
                progress.step(moved=True)
            for below in reversed(found.prefixes):
                if entered is not None:  # each page of a flat listing may name it again
                    if below in entered:
                        continue
                    entered.add(below)
                folder = below[:-1]
                if shown(folder) is not None and self.enter(folder):
                    todo.append((below, "" if self.whole(folder) else "/", ""))
        if errors:
            raise first_with_others(errors)


def _files_on(one: Page, shown: Shown, description: Description) -> Iterator[FileInfo]:
    for info in one.objects:
        if _stands_for_folder(info, shown):
            continue
        path = shown(info.key)
        if path is not None:
            yield file_info(path, info, description)


def files(
    session: Session, key: str, *, recursive: bool, max_depth: int | None
) -> Entries[FileInfo]:
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
    return walk.files(session, shown_in(key or session.description.location))


def is_literal(pattern: GlobPattern) -> bool:
    """Return True for a pattern that only one key can match."""
    return _WILD.search(pattern.text) is None


async def matches(session: Session, pattern: GlobPattern) -> Entries[FileInfo]:
    """Yield the files whose key matches; folders that can hold none are not listed."""
    text = pattern.text
    wild = _WILD.search(text)
    if wild is None:
        one = None if is_reserved(text) else await find(session, text)
        if one is not None and not one.is_folder:
            yield iter([file_info(RemotePath(text), one, session.description)])
        return
    literal = text[: wild.start()] if session.description.any_prefix else ""
    beyond = text.find("**")
    closed = text.count("/", 0, beyond) if beyond >= 0 else None
    walk = _Walk(
        text,
        max(prefix_of(pattern.prefix), literal, key=len),
        enter=pattern.may_contain,
        # From the first ``**`` on, a match can be at any depth.
        whole=lambda folder: closed is not None and prefix_of(folder).count("/") >= closed,
    )
    shown = shown_in(pattern.prefix or session.description.location)
    async with aclosing(walk.files(session, shown)) as found:
        async for infos in found:
            yield (info for info in infos if pattern.matches(info.path.as_posix()))


async def children(
    session: Session, key: str, *, with_files: bool
) -> Entries[FileInfo | FolderEntry]:
    """Yield the subfolders of a folder, and its files where they are wanted."""
    shown = shown_in(key or session.description.location)
    #: Folders that were yielded and may come again: those that an object of their
    #: own name stands for, and without a delimiter of the service's all of them.
    told: set[str] = set()
    found = pages(session, key, prefix=prefix_of(key), delimiter="/")
    async with aclosing(found):
        async for one in found:
            yield _children_on(one, shown, session.description, told, with_files=with_files)


def _children_on(
    one: Page, shown: Shown, description: Description, told: set[str], *, with_files: bool
) -> Iterator[FileInfo | FolderEntry]:
    for info in one.objects:
        if not info.is_folder and _stands_for_folder(info, shown):
            continue  # this folder, or one that is among the prefixes
        path = shown(info.key)
        if path is None:
            continue
        if info.is_folder:
            if info.key not in told:
                told.add(info.key)
                yield FolderEntry(path, path.name)
        elif with_files:
            yield file_info(path, info, description)
    for prefix in one.prefixes:
        folder = prefix[:-1]
        path = shown(folder)
        if path is None or folder in told:
            continue
        if not description.delimiter:
            told.add(folder)
        yield FolderEntry(path, path.name)


async def folder_sum(session: Session, key: str) -> FolderInfo | None:
    """Add up what is below a folder; None where there is nothing, NotFound without a bucket."""
    shown = shown_in(key or session.description.location)
    count = size = 0
    latest = UNKNOWN_TIME
    there = False
    walk = _Walk(key, prefix_of(key), enter=lambda _: True, whole=lambda _: True)
    async with aclosing(walk.pages(session, shown, required=True)) as found:
        async for one in found:
            for info in one.objects:
                there = True
                if _stands_for_folder(info, shown) or shown(info.key) is None:
                    continue
                count += 1
                size += info.size
                if info.modified is not None:
                    latest = max(latest, info.modified)
    if not there:
        return None
    known = None if latest == UNKNOWN_TIME else latest
    return FolderInfo(RemotePath.from_backend_path(key), count, size, known)
