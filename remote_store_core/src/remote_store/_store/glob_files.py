"""Glob on every sync store that lists."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from remote_store._store.descent import Descent
from remote_store._store.store import Store
from remote_store._types.capabilities import Capability
from remote_store._types.glob import GlobPattern
from remote_store._types.models import FileInfo, FolderEntry

__all__ = ["glob_files"]


def glob_files(store: Store, pattern: str) -> Generator[FileInfo, None, None]:
    """
    Yield the files whose whole path matches, as `remote_store._store.async_glob_files.glob_files`.

    Args:
        store: The store to search.
        pattern: See `remote_store.GlobPattern`.

    Raises:
        InvalidPath, ValueError, re.error: See `remote_store.GlobPattern.parse`;
            at the first ``next``, as all of these.
        CapabilityNotSupported: The backend declares neither GLOB nor LIST.
    """
    if store.supports(Capability.GLOB):
        yield from store.glob(pattern)
        return
    parsed = GlobPattern.parse(pattern)
    descent = Descent(parsed.prefix)
    for level in descent.levels():
        for folder in level:
            found: Generator[FileInfo | FolderEntry, None, None]
            if parsed.is_open_below(folder):
                found = store.list_files(folder, recursive=True)
            else:
                found = store.iter_children(folder)
            with descent.listing(folder), contextlib.closing(found):
                for entry in found:
                    path = entry.path.as_posix()
                    if not isinstance(entry, FileInfo):
                        if parsed.may_contain(path):
                            descent.meet(entry)
                    elif parsed.matches(path):
                        yield entry
