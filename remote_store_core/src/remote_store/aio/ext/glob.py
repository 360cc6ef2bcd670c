"""Glob on every store that lists."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from remote_store._capabilities import Capability
from remote_store._glob import GlobPattern
from remote_store._models import FileInfo
from remote_store.aio._store import AsyncStore

__all__ = ["glob_files"]


def glob_files(store: AsyncStore, pattern: str) -> AsyncGenerator[FileInfo, None]:
    """
    Return an async iterator over the files whose whole path matches.

    Where the backend declares GLOB its own implementation is used. Elsewhere
    the folders that can hold a match are listed, and no others; a pattern
    with ``**`` takes one recursive listing of its literal prefix.

    Args:
        store: The store to search.
        pattern: See `remote_store.GlobPattern`.

    Raises:
        InvalidPath: *pattern* is empty or has a ``..`` segment or a NUL; at
            the call.
        ValueError: ``**`` stands before something other than ``/``; at the call.
        CapabilityNotSupported: The backend declares neither GLOB nor LIST; at
            the call.
    """
    if store.supports(Capability.GLOB):
        return store.glob(pattern)
    parsed = GlobPattern.parse(pattern)
    if parsed.depth is None:
        return _filtered(store.list_files(parsed.prefix, recursive=True), parsed)
    store.iter_children(parsed.prefix)  # never pulled: raises at the call what listings raise
    return _walked(store, parsed)


async def _filtered(
    files: AsyncGenerator[FileInfo, None], pattern: GlobPattern
) -> AsyncGenerator[FileInfo, None]:
    async with contextlib.aclosing(files):
        async for file in files:
            if pattern.matches(file.path.as_posix()):
                yield file


async def _walked(store: AsyncStore, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
    level = [pattern.prefix]
    while level:
        below: list[str] = []
        for folder in level:
            children = store.iter_children(folder)
            async with contextlib.aclosing(children):
                async for child in children:
                    path = child.path.as_posix()
                    if not isinstance(child, FileInfo):
                        if pattern.may_contain(path):
                            below.append(path)
                    elif pattern.matches(path):
                        yield child
        level = below
