"""Files and actions as byte strings whose order is the order of a plan."""

from __future__ import annotations

import marshal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from remote_store import UNKNOWN_TIME, FileInfo
from remote_store_transfer._values import Action, Version

if TYPE_CHECKING:
    from remote_store import ContentDigest

__all__ = [
    "Seen",
    "key_of",
    "pack_action",
    "pack_file",
    "path_of",
    "seen_of",
    "split",
    "unpack_action",
    "version_seen",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
#: Ends a key; no key has it, since no segment of a path is empty.
_END: Final = b"\0\0"
_LARGEST: Final = (1 << 63) - 1

#: Size, time in microseconds or None, ETag, digest and user metadata of a file.
Seen: TypeAlias = tuple[int, int | None, str | None, tuple[str, str] | None, dict[str, str] | None]


def key_of(path: str) -> bytes:
    """Return a key that sorts a file directly before what lies below a folder of its name."""
    return path.encode("utf-8", "surrogatepass").replace(b"/", b"\0")


def path_of(key: bytes) -> str:
    """Return the path of a key."""
    return key.replace(b"\0", b"/").decode("utf-8", "surrogatepass")


def seen_of(info: FileInfo) -> Seen:
    """Return what a listing told of a file, as plain values."""
    time = info.modified_at
    digest = info.digest
    return (
        info.size,
        None if time == UNKNOWN_TIME else (time - _EPOCH) // _MICRO,
        info.etag,
        None if digest is None else (digest.algorithm, digest.value),
        dict(info.metadata) if info.metadata else None,
    )


def pack_file(key: bytes, seen: Seen) -> bytes:
    """Return the record of a file."""
    return key + _END + marshal.dumps(seen)


def split(record: bytes) -> tuple[bytes, Seen]:
    """Return key and content of a file's record."""
    key, _, rest = record.partition(_END)
    seen: Seen = marshal.loads(rest)  # noqa: S302 - written by this process
    return key, seen


def version_seen(seen: Seen | None) -> Version | None:
    """Return plain values as a version."""
    if seen is None:
        return None
    size, time, etag, digest, metadata = seen
    return Version(
        size,
        None if time is None else _EPOCH + timedelta(microseconds=time),
        etag,
        None if digest is None else _digest(*digest),
        metadata,
    )


def _digest(algorithm: str, value: str) -> ContentDigest:
    from remote_store import ContentDigest  # few listings tell digests

    return ContentDigest(algorithm, value)


def pack_action(
    kind: str,
    key: bytes,
    reason: str,
    source: Seen | None,
    target: Seen | None,
    *,
    by_size: bool,
) -> bytes:
    """Return the record of an action: deletions last, the others by size or by name."""
    moves = kind in ("copy", "replace") and source is not None
    size = source[0] if moves and source is not None else 0
    rank = b"\1" if kind == "delete" else b"\0"
    weight = (_LARGEST - size).to_bytes(8, "big") if by_size else b""
    content: Any = (kind, size, reason, source, target)
    return rank + weight + key + _END + marshal.dumps(content)


def unpack_action(record: bytes, *, by_size: bool) -> Action:
    """Return the action of a record."""
    start = 9 if by_size else 1
    end = record.index(_END, start)
    kind, size, reason, source, target = marshal.loads(record[end + 2 :])  # noqa: S302
    path = path_of(record[start:end])
    return Action(kind, path, size, reason, version_seen(source), version_seen(target))
