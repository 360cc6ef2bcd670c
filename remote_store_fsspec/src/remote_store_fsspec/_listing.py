"""Entries of a store as fsspec describes them, and trees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any, Final

from remote_store import UNKNOWN_TIME, FileInfo, FolderEntry
from remote_store.aio import AsyncStore

__all__ = ["children", "file_details", "files_below", "folder_details", "tree"]

#: Listings at the same time.
_SIDE_BY_SIDE: Final = 16

Details = dict[str, Any]


def file_details(info: FileInfo) -> Details:
    """Return what fsspec knows of a file; the time, the ETag and the rest where the store does."""
    details: Details = {"name": f"/{info.path}", "size": info.size, "type": "file"}
    if info.modified_at != UNKNOWN_TIME:
        details["mtime"] = info.modified_at
    if info.etag is not None:
        details["etag"] = info.etag
    if info.content_type is not None:
        details["content_type"] = info.content_type
    if info.metadata:
        details["metadata"] = dict(info.metadata)
    return details


def folder_details(path: object, *, is_link: bool = False) -> Details:
    """Return what fsspec knows of a folder; of a link to one also that it is one."""
    details: Details = {"name": f"/{path}", "size": 0, "type": "directory"}
    if is_link:
        details["islink"] = True
    return details


async def children(store: AsyncStore, path: str) -> list[Details]:
    """Return what is in a folder, by name; nothing for a file or a missing path."""
    found: list[Details] = []
    async with aclosing(store.iter_children(path)) as entries:
        async for entry in entries:
            if isinstance(entry, FolderEntry):
                found.append(folder_details(entry.path, is_link=entry.is_link))
            else:
                found.append(file_details(entry))
    found.sort(key=lambda details: details["name"])
    return found


async def files_below(store: AsyncStore, path: str, maxdepth: int | None) -> dict[str, Details]:
    """
    Return the files below a folder, *maxdepth* levels deep or all of them, by one listing.

    Raises:
        RemoteStoreError: A folder cannot be listed.
    """
    depth = None if maxdepth is None else maxdepth - 1
    found: dict[str, Details] = {}
    async with aclosing(store.list_files(path, recursive=True, max_depth=depth)) as files:
        async for info in files:
            details = file_details(info)
            found[details["name"]] = details
    return found


async def tree(
    store: AsyncStore, path: str, maxdepth: int | None, prefix: str = ""
) -> dict[str, Details]:
    """
    Return the files and the folders below a folder.

    With a *maxdepth*, each folder above that depth is listed by itself, some
    side by side. Without one all files come from one listing, and the folders
    are those that some file is in: a store has no listing that shows more.

    Args:
        store: The store.
        path: Path of the folder.
        maxdepth: How many levels deep, None for all.
        prefix: Of the names directly in the folder; others are left out, with
            all that is below them.

    Raises:
        RemoteStoreError: A folder cannot be listed.
    """
    start = f"/{path}/{prefix}" if path else f"/{prefix}"
    if maxdepth is None:
        found = {
            name: details
            for name, details in (await files_below(store, path, None)).items()
            if name.startswith(start)
        }
        for name in list(found):
            found |= {above: folder_details(above[1:]) for above in _between(path, name, found)}
        return found
    found = {}
    level = [path]
    for depth in range(maxdepth):
        folders: list[str] = []
        for details in await _listed(store, level):
            if depth == 0 and not details["name"].startswith(start):
                continue
            found[details["name"]] = details
            if details["type"] == "directory" and not details.get("islink"):
                folders.append(details["name"][1:])
        level = folders
    return found


def _between(top: str, name: str, known: dict[str, Details]) -> Iterator[str]:
    """Yield the folders between *top* and *name* that are not known, from below."""
    above = name.rpartition("/")[0]
    while above and above != f"/{top}" and above not in known:
        yield above
        above = above.rpartition("/")[0]


async def _listed(store: AsyncStore, folders: list[str]) -> list[Details]:
    """Return what is in all of these folders; after a failure the others are still asked."""
    gate = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(folder: str) -> list[Details]:
        async with gate:
            return await children(store, folder)

    answers = await asyncio.gather(*map(one, folders), return_exceptions=True)
    found: list[Details] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found += answer
    return found
