"""
What plans keep of files and actions: in which order, and what it takes of the memory.

Plain tuples of plain values, however many there are, are nothing that Python's
collector of garbage looks at again and again. Whoever iterates a plan gets
`Action` objects, made one at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from remote_store import UNKNOWN_TIME, FileInfo
from remote_store_transfer._listing.sorter import Sorter
from remote_store_transfer._values import Action, Kind, Version, new_action, new_version

if TYPE_CHECKING:
    from remote_store import ContentDigest

__all__ = [
    "Planned",
    "Seen",
    "action_of",
    "actions",
    "files",
    "is_skip",
    "key_of",
    "path_of",
    "planned",
    "seen_of",
]

#: What was seen of a file: the key of its path; size, time, ETag, digest and user metadata.
Seen: TypeAlias = tuple[
    str, int, datetime | None, str | None, "ContentDigest | None", Mapping[str, str] | None
]
#: An action: what it is sorted by, which is a rank and the key of its path; its kind,
#: the bytes to move, the reason; and what was seen in the source and in the target, of
#: which one is there.
Planned: TypeAlias = tuple[int, str, Kind, int, str, Seen | None, Seen | None]

# Bytes that are taken by objects without the texts in them.
_SEEN: Final = 192
_ACTION: Final = 104
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


def seen_of(path: str, info: FileInfo) -> Seen:
    """
    Return what was told of a file; headers are asked for when it is copied.

    Args:
        path: Its path in the folder of its side.
        info: What was told.
    """
    time = info.modified_at
    return (
        key_of(path),
        info.size,
        None if time == UNKNOWN_TIME else time,
        info.etag,
        info.digest,
        dict(info.metadata) if info.metadata else None,
    )


def planned(
    kind: Kind, size: int, reason: str, source: Seen | None, target: Seen | None, *, by_size: bool
) -> Planned:
    """Return the record of an action: deletions last, the others by size or by name."""
    file = source or target
    assert file is not None
    rank = 1 if kind == "delete" else -size if by_size else 0
    return rank, file[0], kind, size, reason, source, target


def action_of(record: Planned) -> Action:
    """Return the action of a record."""
    _, key, kind, size, reason, source, target = record
    return new_action(kind, path_of(key), size, reason, _version(source), _version(target))


def is_skip(record: Planned) -> bool:
    """Return True if a record is of an action that does nothing, since both files are equal."""
    return record[2] == "skip"


def _version(seen: Seen | None) -> Version | None:
    return None if seen is None else new_version(*seen[1:])


def files() -> Sorter[Seen]:
    """Return a sorter of the files of a side."""
    return Sorter(itemgetter(0), _bytes_of)


def actions() -> Sorter[Planned]:
    """Return a sorter of actions."""
    return Sorter(itemgetter(0, 1), _bytes_of_action)


def _bytes_of_action(record: Planned) -> int:
    return _ACTION + _bytes_of(record[5]) + _bytes_of(record[6])


def _bytes_of(seen: Seen | None) -> int:
    if seen is None:
        return 0
    key, _, _, etag, digest, metadata = seen
    size = _SEEN + sys.getsizeof(key)
    if etag is not None:
        size += sys.getsizeof(etag)
    if digest is not None:
        size += _DIGEST + sys.getsizeof(digest.value)
    if metadata is not None:
        size += sys.getsizeof(metadata)
        size += sum(sys.getsizeof(text) for item in metadata.items() for text in item)
    return size
