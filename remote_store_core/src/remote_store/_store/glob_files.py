"""Glob on every sync store that lists."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from remote_store._contract.closing import closing
from remote_store._store.descent import Descent
from remote_store._store.store import Store
from remote_store._types.capabilities import Capability
from remote_store._types.models import FileInfo, FolderEntry

if TYPE_CHECKING:
    from remote_store._types.glob import GlobPattern

__all__ = ["glob_files"]


def glob_files(store: Store, pattern: str) -> Generator[FileInfo, None, None]:
    """
    Yield the files whose whole path matches.

    Where the backend declares GLOB its own implementation is used. Elsewhere
    the folders that can hold a match are listed, and no others; from where
    ``**`` stands, each with one recursive listing.

    Args:
        store: The store to search.
        pattern: See `remote_store.GlobPattern`.

    Raises:
        InvalidPath, ValueError, re.error: See `remote_store.GlobPattern.parse`.
        CapabilityNotSupported: The backend declares neither GLOB nor LIST.
    """
    from remote_store._types.glob import GlobPattern  # few programs use globs

    if store.supports(Capability.GLOB):
        yield from store.glob(pattern)
        return
    parsed = GlobPattern.parse(pattern)
    yield from _walked(store, parsed)


def _walked(store: Store, pattern: GlobPattern) -> Generator[FileInfo, None, None]:
    descent = Descent(pattern.prefix)
    for level in descent.levels():
        for folder in level:
            with descent.listing(folder):
                found: Generator[FileInfo | FolderEntry, None, None]
                if pattern.is_open_below(folder):
                    found = store.list_files(folder, recursive=True)
                else:
                    found = store.iter_children(folder)
                with closing(found):
                    for entry in found:
                        path = entry.path.as_posix()
                        if not isinstance(entry, FileInfo):
                            if pattern.may_contain(path):
                                descent.meet(entry)
                        elif pattern.matches(path):
                            yield entry
