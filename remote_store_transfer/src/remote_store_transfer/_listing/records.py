"""What plans keep of files and actions: in which order, and what it takes of the memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, TypeAlias

from remote_store import FileInfo
from remote_store_transfer._listing.sorter import Sorter
from remote_store_transfer._values import Action, Version, version_seen

__all__ = ["File", "file_of", "files", "key_of", "path_of", "planned"]

#: A file of a side: the key of its path, and what was seen of it.
File: TypeAlias = tuple[str, Version]

# Bytes that are taken by objects without the texts in them.
_FILE: Final = 64
_VERSION: Final = 176
_ACTION: Final = 96
_DIGEST: Final = 192


def key_of(path: str) -> str:
    """
    Return a key that sorts a file directly before what lies below a folder of its name.

    No path has a NUL.
    """
    return path.replace("/", "\0")


def path_of(key: str) -> str:
    """Return the path of a key."""
    return key.replace("\0", "/")


def file_of(path: str, info: FileInfo) -> File:
    """Return the record of a file, whose path in the folder of its side is *path*."""
    return key_of(path), version_seen(info)


def files() -> Sorter[File]:
    """Return a sorter of the files of a side."""
    return Sorter(_key, _bytes_of_file)


def planned(*, by_size: bool) -> Sorter[Action]:
    """Return a sorter of actions: deletions last, the others by size or by name."""
    order: Callable[[Action], tuple[bool, int, str]]
    if by_size:
        order = lambda a: (a.kind == "delete", -a.size, key_of(a.path))  # noqa: E731
    else:
        order = lambda a: (a.kind == "delete", 0, key_of(a.path))  # noqa: E731
    return Sorter(order, _bytes_of_action)


def _key(file: File) -> str:
    return file[0]


def _bytes_of_file(file: File) -> int:
    return _FILE + sys.getsizeof(file[0]) + _bytes_of(file[1])


def _bytes_of_action(action: Action) -> int:
    size = _ACTION + sys.getsizeof(action.path)
    for version in (action.source, action.target):
        if version is not None:
            size += _bytes_of(version)
    return size


def _bytes_of(version: Version) -> int:
    size = _VERSION
    if version.etag is not None:
        size += sys.getsizeof(version.etag)
    if version.digest is not None:
        size += _DIGEST + sys.getsizeof(version.digest.value)
    if version.metadata is not None:
        size += sys.getsizeof(version.metadata)
        size += sum(sys.getsizeof(text) for item in version.metadata.items() for text in item)
    return size
