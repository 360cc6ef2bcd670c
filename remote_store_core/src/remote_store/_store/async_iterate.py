"""
Iterators over what a backend's iterators yield.

Each closes the backend's iterator before it is closed itself: on exhaustion,
error, early exit and cancellation.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

from remote_store._contract.async_backend import AsyncBackend
from remote_store._contract.async_closing import Closing
from remote_store._store import rebasing, rules
from remote_store._store.descent import Descent
from remote_store._types.models import FileInfo, FolderEntry
from remote_store._types.path import strip_root

__all__ = ["files_below", "folders_below", "relay"]

T = TypeVar("T")


async def relay(
    open_iterator: Callable[[], AsyncIterator[T]], convert: Callable[[T], T] | None = None
) -> AsyncGenerator[T, None]:
    """Yield each item of the iterator that *open_iterator* returns, converted."""
    items = open_iterator()
    async with Closing(items):
        async for item in items:
            yield item if convert is None else convert(item)


async def files_below(
    backend: AsyncBackend,
    root: str,
    key: str,
    *,
    recursive: bool = False,
    pattern: str | None = None,
    max_depth: int | None = None,
) -> AsyncGenerator[FileInfo, None]:
    """Yield the files of the folder *key*, relative to *root*; a depth overrides *recursive*."""
    recursive = rules.listed_recursively(recursive, max_depth)
    folder = strip_root(root, key)
    found = backend.list_files(key, recursive=recursive, max_depth=max_depth)
    async with Closing(found):
        if not root and pattern is None and max_depth is None:
            async for info in found:
                yield info
            return
        async for info in found:
            file = rebasing.rebased_file(root, info)
            if max_depth is not None and rules.depth_below(folder, file.path) > max_depth:
                continue
            if rules.name_matches(file.name, pattern):
                yield file


async def folders_below(
    backend: AsyncBackend, root: str, key: str, pattern: str | None, max_depth: int
) -> AsyncGenerator[FolderEntry, None]:
    """
    Yield the folders below *key* level by level; *pattern* does not stop the descent.

    Raises:
        RemoteStoreError: A folder cannot be listed; below *key* once all others are.
    """
    descent = Descent(key, max_depth)
    for level in descent.levels():
        for folder in level:
            with descent.listing(folder):
                found = backend.list_folders(folder)
                async with Closing(found):
                    async for entry in found:
                        descent.meet(entry)
                        if rules.name_matches(entry.name, pattern):
                            yield rebasing.rebased_folder(root, entry)
