"""
Listings of either kind of account, from the pages that the service gives.

A listing asks for no more than what it shows: one folder at a time where a
depth or a pattern excludes folders, else everything below a prefix at once.
It holds one page for each level that it is deep.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol, cast

from remote_store import (
    UNKNOWN_TIME,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    RemotePath,
)
from remote_store.authoring import LeftOut, is_reserved
from remote_store_azure._blob.headers import digest_of_md5, file_info, is_directory, user_metadata
from remote_store_azure._blob.list_blobs import tokens_of
from remote_store_azure._blob.probe import head
from remote_store_azure._keys import lister, prefix_of
from remote_store_objects.authoring import Progress

if TYPE_CHECKING:
    from remote_store_azure._blob.list_xml import Blob, Page
    from remote_store_azure._http.session import Session

__all__ = ["Pages", "children", "files", "folder_sum", "is_literal", "matches", "nothing"]

_log = logging.getLogger(__name__)

_WILD: Final = re.compile(r"[*?\[]")

#: Returns what a listing shows of a name, None if it leaves the name out.
_Shown = Callable[[str], RemotePath | None]
#: Decides by the key of a folder.
_Choice = Callable[[str], bool]


class Pages(Protocol):
    """
    The pages of one listing.

    Attributes:
        session: Of the container.
        key: What errors name.
        any_prefix: A page may begin with any prefix, not only with a folder's.
    """

    session: Session
    key: str
    any_prefix: bool

    async def page(self, prefix: str, marker: str, *, whole: bool) -> Page | None:
        """
        Return one page of what is below a prefix; None if nothing is there.

        Args:
            prefix: What the names begin with.
            marker: `Page.marker` of the previous page; ``""`` for the first one.
            whole: With all that is in the folders below, else these folders
                are in `Page.prefixes`.
        """
        ...

    async def left_out(self, blob: Blob, page: Page) -> None:
        """Look at an entry that the listing does not show."""
        ...

    def finish(self) -> None:
        """Raise what was put off until everything else is listed."""
        ...


def files(
    pages: Pages, key: str, *, recursive: bool, max_depth: int | None
) -> AsyncGenerator[FileInfo, None]:
    """Yield the files of a folder, with *recursive* those down to *max_depth* folders deep."""
    depth = max_depth if recursive else 0
    above = prefix_of(key).count("/")
    found = _entries(
        pages,
        prefix_of(key),
        enter=lambda folder: depth is None or folder.count("/") - above < depth,
        whole=lambda _: depth is None,
    )
    return cast("AsyncGenerator[FileInfo, None]", found)


def matches(pages: Pages, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
    """Yield the files whose key matches; folders that can hold none are not listed."""
    text = pattern.text
    wild = _WILD.search(text)
    if wild is None:
        return _one(pages.session, text)
    start = prefix_of(pattern.prefix)
    if pages.any_prefix:
        start = max(start, text[: wild.start()], key=len)
    beyond = text.find("**")
    closed = text.count("/", 0, beyond) if beyond >= 0 else None
    found = _entries(
        pages,
        start,
        enter=pattern.may_contain,
        # From the first ``**`` on, a match can be at any depth.
        whole=lambda folder: closed is not None and prefix_of(folder).count("/") >= closed,
        match=pattern.matches,
    )
    return cast("AsyncGenerator[FileInfo, None]", found)


def is_literal(pattern: GlobPattern) -> bool:
    """Return True for a pattern that only one key can match."""
    return _WILD.search(pattern.text) is None


async def nothing() -> AsyncGenerator[FileInfo, None]:
    """Yield nothing, and send nothing."""
    return
    yield  # makes this an async generator


async def _one(session: Session, key: str) -> AsyncGenerator[FileInfo, None]:
    if is_reserved(key):
        return
    response = await head(session, key)
    if response.status != 404 and not is_directory(response.headers):
        yield file_info(key, response.headers)


def children(
    pages: Pages, key: str, *, with_files: bool
) -> AsyncGenerator[FileInfo | FolderEntry, None]:
    """Yield the subfolders of a folder, and its files where they are wanted."""
    return _entries(pages, prefix_of(key), with_files=with_files, with_folders=True)


async def folder_sum(pages: Pages, key: str) -> FolderInfo | None:
    """Add up what is below a folder; None where there is nothing."""
    shown = _shown_by(pages)
    count = size = 0
    latest = UNKNOWN_TIME
    there = False
    async with aclosing(_walk(pages, shown, prefix_of(key), _always, _always)) as found:
        async for page in found:
            for blob in page.blobs:
                there = True
                if blob.is_directory or (not blob.size and _stands_for_its_folder(blob, shown)):
                    continue
                if shown(blob.name) is None:
                    await pages.left_out(blob, page)
                    continue
                count += 1
                size += blob.size
                if blob.last_modified is not None:
                    latest = max(latest, blob.last_modified)
    if not there:
        return None
    known = None if latest == UNKNOWN_TIME else latest
    return FolderInfo(RemotePath.from_backend_path(key), count, size, known)


async def _entries(
    pages: Pages,
    start: str,
    *,
    enter: _Choice | None = None,
    whole: _Choice = lambda _: False,
    with_files: bool = True,
    with_folders: bool = False,
    match: _Choice | None = None,
) -> AsyncGenerator[FileInfo | FolderEntry, None]:
    """
    Yield what is found below a prefix, as a listing shows it.

    Args:
        pages: Of the listing.
        start: The prefix.
        enter: See `_walk`.
        whole: See `_walk`.
        with_files: Yield files.
        with_folders: Yield folders.
        match: Decides by its key whether a file is yielded.
    """
    shown = _shown_by(pages)
    #: Folders that a blob of their own name stands for; there may be blobs below as well.
    marked: set[str] = set()
    async with aclosing(_walk(pages, shown, start, enter, whole)) as found:
        async for page in found:
            for blob in page.blobs:
                if not blob.size and _stands_for_its_folder(blob, shown):
                    continue  # the folder itself, or one that is among the prefixes
                path = shown(blob.name)
                if path is None:
                    await pages.left_out(blob, page)
                elif blob.is_directory:
                    if with_folders:
                        marked.add(blob.name)
                        yield FolderEntry(path, path.name)
                elif with_files and (match is None or match(blob.name)):
                    yield _file(path, blob)
            if not with_folders:
                continue
            for prefix in page.prefixes:
                path = shown(prefix[:-1])
                if path is not None and prefix[:-1] not in marked:
                    yield FolderEntry(path, path.name)


async def _walk(
    pages: Pages, shown: _Shown, start: str, enter: _Choice | None, whole: _Choice
) -> AsyncGenerator[Page, None]:
    """
    Yield the pages below a prefix and of the folders below it, depth first.

    Args:
        pages: Of the listing.
        shown: Returns what the listing shows of a name.
        start: The prefix.
        enter: Decides whether a folder is listed; None for no folder.
        whole: Decides whether all that is below a folder is listed at once,
            and not folder by folder.
    """
    todo = [(start, "", whole(start.rpartition("/")[0]))]
    progress = Progress(pages.session, pages.key, f"The service's listing of {start!r}")
    while todo:
        prefix, marker, at_once = todo.pop()
        page = await pages.page(prefix, marker, whole=at_once)
        if page is None:
            continue
        yield page
        if page.marker:
            progress.step(*tokens_of(page, prefix), moved=bool(page.blobs or page.prefixes))
            todo.append((prefix, page.marker, at_once))
        else:
            progress.step(moved=True)
        if enter is not None:
            for below in reversed(page.prefixes):
                folder = below[:-1]
                if shown(folder) is not None and enter(folder):
                    todo.append((below, "", whole(folder)))
    pages.finish()


def _always(_: str) -> bool:
    return True


def _shown_by(pages: Pages) -> _Shown:
    """Return what one listing shows of the names that it finds."""
    return lister(LeftOut(_log, pages.session.container))


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
