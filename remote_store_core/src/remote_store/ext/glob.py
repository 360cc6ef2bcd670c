"""Glob on every sync store that lists."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from remote_store._capabilities import Capability
from remote_store._glob import GlobPattern
from remote_store._models import FileInfo
from remote_store._store import Store

__all__ = ["glob_files"]


def glob_files(store: Store, pattern: str) -> Generator[FileInfo, None, None]:
    """
    Yield the files whose whole path matches, as `remote_store.aio.ext.glob.glob_files`.

    Args:
        store: The store to search.
        pattern: See `remote_store.GlobPattern`.

    Raises:
        InvalidPath: *pattern* is empty or has a ``..`` segment or a NUL; at
            the first ``next``, as all of these.
        ValueError: ``**`` stands before something other than ``/``.
        CapabilityNotSupported: The backend declares neither GLOB nor LIST.
    """
    if store.supports(Capability.GLOB):
        yield from store.glob(pattern)
        return
    parsed = GlobPattern.parse(pattern)
    if parsed.depth is None:
        yield from _filtered(store.list_files(parsed.prefix, recursive=True), parsed)
    else:
        yield from _walked(store, parsed)


def _filtered(
    files: Generator[FileInfo, None, None], pattern: GlobPattern
) -> Generator[FileInfo, None, None]:
    with contextlib.closing(files):
        for file in files:
            if pattern.matches(file.path.as_posix()):
                yield file


def _walked(store: Store, pattern: GlobPattern) -> Generator[FileInfo, None, None]:
    level = [pattern.prefix]
    while level:
        below: list[str] = []
        for folder in level:
            with contextlib.closing(store.iter_children(folder)) as children:
                for child in children:
                    path = child.path.as_posix()
                    if not isinstance(child, FileInfo):
                        if pattern.may_contain(path):
                            below.append(path)
                    elif pattern.matches(path):
                        yield child
        level = below
