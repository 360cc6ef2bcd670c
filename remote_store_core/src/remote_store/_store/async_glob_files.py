"""Glob on every store that lists."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from remote_store._contract.async_closing import Closing
from remote_store._store.async_store import AsyncStore
from remote_store._store.descent import Descent
from remote_store._types.capabilities import Capability
from remote_store._types.models import FileInfo, FolderEntry

if TYPE_CHECKING:
    from remote_store._types.glob import GlobPattern

__all__ = ["glob_files"]


def glob_files(store: AsyncStore, pattern: str) -> AsyncGenerator[FileInfo, None]:
    """
    Return an async iterator over the files whose whole path matches.

    Where the backend declares GLOB its own implementation is used. Elsewhere
    the folders that can hold a match are listed, and no others; from where
    ``**`` stands, each with one recursive listing.

    Args:
        store: The store to search.
        pattern: See `remote_store.GlobPattern`.

    Raises:
        InvalidPath, ValueError, re.error: See `remote_store.GlobPattern.parse`;
            at the call.
        CapabilityNotSupported: The backend declares neither GLOB nor LIST; at
            the call.
    """
    from remote_store._types.glob import GlobPattern  # few programs use globs

    if store.supports(Capability.GLOB):
        return store.glob(pattern)
    parsed = GlobPattern.parse(pattern)
    # Async only: never pulled, it raises at the call what listings raise.
    store.iter_children(parsed.prefix)
    return _walked(store, parsed)


async def _walked(store: AsyncStore, pattern: GlobPattern) -> AsyncGenerator[FileInfo, None]:
    descent = Descent(pattern.prefix)
    for level in descent.levels():
        for folder in level:
            with descent.listing(folder):
                found: AsyncGenerator[FileInfo | FolderEntry, None]
                if pattern.is_open_below(folder):
                    found = store.list_files(folder, recursive=True)
                else:
                    found = store.iter_children(folder)
                async with Closing(found):
                    async for entry in found:
                        path = entry.path.as_posix()
                        if not isinstance(entry, FileInfo):
                            if pattern.may_contain(path):
                                descent.meet(entry)
                        elif pattern.matches(path):
                            yield entry
