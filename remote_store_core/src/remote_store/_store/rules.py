"""
What a store decides before and after a backend call.

Pure functions without I/O. Each rule is written once; the sync and the async
store differ only in how they wait.
"""

from __future__ import annotations

import bisect
import fnmatch
import operator
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from attrs import asdict

from remote_store._contract.standard_errors import is_a_file, not_found, source_is_folder
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.errors import InvalidPath, NotFound, RemoteStoreError
from remote_store._types.models import (
    UNKNOWN_TIME,
    ContentHeaders,
    FileInfo,
    FolderEntry,
    FolderInfo,
    ResolutionPlan,
    WriteResult,
)
from remote_store._types.path import RemotePath, normal_paths, normalise, strip_root, text_of

__all__ = [
    "METADATA_LIMIT",
    "FolderTally",
    "backend_glob",
    "check_block_size",
    "check_etag",
    "check_max_depth",
    "check_metadata",
    "cut_ranges",
    "depth_below",
    "encoded",
    "file_key",
    "folder_info_key",
    "folder_key",
    "gate_headers",
    "gate_match",
    "gate_url",
    "gate_write",
    "head_of",
    "joined_ranges",
    "listed_recursively",
    "name_matches",
    "part_of_file",
    "part_of_suffix",
    "rebased_entry",
    "rebased_file",
    "rebased_folder",
    "rebased_folder_info",
    "rebased_plan",
    "rebased_result",
    "refuse_missing_folder",
    "refuse_more",
    "refuse_root_delete",
    "refuse_same_path",
    "root_key",
    "whole_ranges",
]

#: Bytes of all keys and values of a file's user metadata together.
METADATA_LIMIT: Final = 2048

#: Position behind the end of every file that systems and services can still be asked for.
_FAR: Final = 1 << 61


# Before the call -----------------------------------------------------------


def root_key(root_path: str | RemotePath) -> str:
    """
    Return the root of a store in normal form, ``""`` for the backend's own.

    Raises:
        InvalidPath: *root_path* is malformed.
        TypeError: *root_path* is neither a str nor a RemotePath.
    """
    if root_path == "":
        return ""
    try:
        return normalise(root_path)
    except InvalidPath as error:
        msg = f"root_path: {error.args[0]}; the backend's own root is ''"
        raise InvalidPath(msg, path=error.path) from error


def file_key(root: str, path: str | RemotePath) -> str:
    """
    Return the backend key of a path that must name a file.

    Raises:
        InvalidPath: *path* is the root or malformed.
        TypeError: *path* is neither a str nor a RemotePath.
    """
    if not (type(path) is str and path in normal_paths):
        path = normalise(path)
    return f"{root}/{path}" if root else path


def folder_key(root: str, path: str | RemotePath) -> str:
    """Return the backend key of a path that may name the root, as ``""`` or ``"."``."""
    if type(path) is str and path in normal_paths:  # neither of which is remembered
        return f"{root}/{path}" if root else path
    return root if names_root(path) else file_key(root, path)


def names_root(path: str | RemotePath) -> bool:
    """Return True if *path* is one of the two spellings of a store's root."""
    return text_of(path) in ("", ".")


def refuse_root_delete(path: str | RemotePath) -> None:
    """
    Refuse to delete the root of a store.

    Raises:
        InvalidPath: *path* is ``""`` or ``"."``.
    """
    if names_root(path):
        msg = "Cannot delete the store root; delete what is in it, or use a child store's parent"
        raise InvalidPath(msg, path=text_of(path))


def check_max_depth(max_depth: int | None) -> None:
    """
    Refuse a negative depth.

    Raises:
        ValueError: *max_depth* is below 0.
    """
    if max_depth is not None and max_depth < 0:
        msg = f"max_depth must be >= 0, got {max_depth}"
        raise ValueError(msg)


def part_of_file(start: int, length: int | None, end: int | None) -> tuple[int, int | None]:
    """
    Return start and length of a part of a file; a negative start counts from its end.

    Raises:
        ValueError: *length* and *end* are both given; *length* is negative;
            *end* is below *start*, or given with a negative one.
        TypeError: One of them is not a whole number.
    """
    start = min(operator.index(start), _FAR)
    if length is not None and end is not None:
        msg = "give length or end, not both"
        raise ValueError(msg)
    if length is not None and (length := operator.index(length)) < 0:
        msg = f"length must be >= 0, got {length}"
        raise ValueError(msg)
    if end is not None:
        if start < 0:
            msg = f"end needs a start from the beginning of the file, got {start}"
            raise ValueError(msg)
        if (end := operator.index(end)) < start:
            msg = f"end must be >= start, got {start} to {end}"
            raise ValueError(msg)
        end = min(end, _FAR)
        length = end - start
    return start, length if length is None or length < _FAR else None


def part_of_suffix(size: int, start: int, length: int | None) -> tuple[int, int]:
    """Return start and end of a part whose *start* counts from the end of *size* bytes."""
    first = max(0, size + start)
    return first, size if length is None else min(size, first + length)


def whole_ranges(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """
    Return the ranges of one call as pairs of start and end.

    Raises:
        ValueError: A start is negative, or an end is below its start.
        TypeError: One is not a pair of whole numbers.
    """
    found = []
    for given in ranges:
        try:
            start, end = map(operator.index, given)
        except (TypeError, ValueError) as error:
            msg = f"a range is a pair of start and end, got {given!r}"
            raise TypeError(msg) from error
        if not 0 <= start <= end:
            msg = f"a range needs 0 <= start <= end, got {start} to {end}"
            raise ValueError(msg)
        found.append((min(start, _FAR), min(end, _FAR)))
    return found


def joined_ranges(ranges: Sequence[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """
    Return what is to be fetched: ranges that touch, or are at most *gap* bytes apart, as one.

    Raises:
        ValueError: *gap* is negative.
        TypeError: It is not a whole number.
    """
    if operator.index(gap) < 0:
        msg = f"gap must be >= 0, got {gap}"
        raise ValueError(msg)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(pair for pair in ranges if pair[0] < pair[1]):
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def cut_ranges(
    ranges: Sequence[tuple[int, int]], pieces: Sequence[tuple[int, int]], data: Sequence[bytes]
) -> list[bytes]:
    """Return the bytes of each of *ranges* from those of the *pieces* that were fetched."""
    starts = [start for start, _ in pieces]
    found = []
    for start, end in ranges:
        if start == end:
            found.append(b"")
            continue
        i = bisect.bisect_right(starts, start) - 1
        found.append(data[i][start - starts[i] : end - starts[i]])
    return found


def refuse_more(data: bytes, length: int | None, key: str, backend: str) -> None:
    """
    Refuse more bytes than were asked for: they may be those of the whole file.

    Raises:
        RemoteStoreError: There are.
    """
    if length is not None and len(data) > length:
        msg = f"The backend gave {len(data)} bytes of a range of {length}"
        raise RemoteStoreError(msg, path=key, backend=backend)


def check_block_size(block_size: int) -> None:
    """
    Refuse a block that holds nothing.

    Raises:
        ValueError: *block_size* is below 1.
        TypeError: It is not a whole number.
    """
    if operator.index(block_size) < 1:
        msg = f"block_size must be >= 1, got {block_size}"
        raise ValueError(msg)


def encoded(text: str, encoding: str) -> bytes:
    """
    Return the bytes that ``write_text`` writes.

    Raises:
        TypeError: *text* is not a str.
        UnicodeEncodeError: *encoding* cannot express *text*.
        LookupError: *encoding* is unknown.
    """
    if not isinstance(text, str):
        msg = f"text must be a str, got {type(text).__name__}; use write for bytes"
        raise TypeError(msg)
    return text.encode(encoding)


def folder_info_key(
    capabilities: CapabilitySet,
    root: str,
    path: str | RemotePath,
    max_depth: int | None,
    backend: str,
) -> str:
    """
    Return the key that a folder info is asked for; a depth takes a listing instead.

    Raises:
        ValueError: *max_depth* is below 0.
        CapabilityNotSupported: No METADATA, or with *max_depth* no LIST.
        InvalidPath: *path* is malformed.
    """
    check_max_depth(max_depth)
    needed = Capability.METADATA if max_depth is None else Capability.LIST
    capabilities.require(needed, backend=backend)
    return folder_key(root, path)


def listed_recursively(recursive: bool, max_depth: int | None) -> bool:
    """Return what a backend is asked for: a depth overrides *recursive*."""
    return recursive if max_depth is None else max_depth > 0


def check_etag(etag: object) -> None:
    """
    Refuse what is no ETag as ``get_file_info`` returns it.

    Raises:
        TypeError: It is not a str.
        ValueError: It is empty or ``*``, which name no version, or has quotes or
            characters that no ETag has.
    """
    if not isinstance(etag, str):
        msg = f"if_match must be a str, the etag of a FileInfo, got {type(etag).__name__}"
        raise TypeError(msg)
    if etag in ("", "*"):
        msg = f"if_match must name one version, got {etag!r}"
        raise ValueError(msg)
    if '"' in etag or not (etag.isascii() and etag.isprintable()):
        msg = f"if_match must be an ETag without quotes, as get_file_info returns it, got {etag!r}"
        raise ValueError(msg)


def gate_headers(capabilities: CapabilitySet, headers: object, backend: str) -> dict[str, Any]:
    """
    Return the keyword that hands content headers to a backend; none where they hold nothing.

    Raises:
        TypeError: *headers* is no `ContentHeaders`, or one of them no str.
        ValueError: One of them is empty, or has outer blanks or characters
            other than printable ASCII, which would not come back unchanged.
        CapabilityNotSupported: No CONTENT_HEADERS.
    """
    if not isinstance(headers, ContentHeaders):
        msg = f"headers must be a ContentHeaders, got {type(headers).__name__}"
        raise TypeError(msg)
    given = {k: v for k, v in asdict(headers).items() if v is not None}
    for name, value in given.items():
        if not isinstance(value, str):
            msg = f"{name} must be a str, got {type(value).__name__}"
            raise TypeError(msg)
        if not value or value != value.strip() or not (value.isascii() and value.isprintable()):
            msg = f"{name} must be printable ASCII without blanks around it, got {value!r}"
            raise ValueError(msg)
    if not given:
        return {}
    capabilities.require(Capability.CONTENT_HEADERS, backend=backend)
    return {"headers": headers}


def gate_match(capabilities: CapabilitySet, if_match: object, backend: str) -> dict[str, Any]:
    """
    Return the keyword that asks a backend for one version.

    Raises:
        TypeError, ValueError: See `check_etag`.
        CapabilityNotSupported: No CONDITIONAL_WRITE.
    """
    check_etag(if_match)
    capabilities.require(Capability.CONDITIONAL_WRITE, backend=backend)
    return {"if_match": if_match}


def gate_url(capabilities: CapabilitySet, expires: object, method: str, backend: str) -> timedelta:
    """
    Return for how long a signed URL is to work, in whole seconds.

    Raises:
        TypeError: *expires* is no timedelta and no number.
        ValueError: It is below a second or beyond all times, or *method* is neither GET nor PUT.
        CapabilityNotSupported: No SIGNED_URL; no READ or WRITE for the method.
    """
    if method not in ("GET", "PUT"):
        msg = f"method must be 'GET' or 'PUT', got {method!r}"
        raise ValueError(msg)
    seconds: float
    if isinstance(expires, timedelta):
        seconds = expires.total_seconds()
    elif isinstance(expires, (int, float)) and not isinstance(expires, bool):
        seconds = expires
    else:
        msg = f"expires must be a timedelta or seconds, got {type(expires).__name__}"
        raise TypeError(msg)
    # As a float the longest of all is longer than itself.
    if not 1 <= seconds < timedelta.max.total_seconds():
        msg = f"expires must be from one second to {timedelta.max.days} days, got {expires!r}"
        raise ValueError(msg)
    capabilities.require(Capability.SIGNED_URL, backend=backend)
    needed = Capability.READ if method == "GET" else Capability.WRITE
    capabilities.require(needed, backend=backend)
    return timedelta(seconds=int(seconds))


def gate_write(
    capabilities: CapabilitySet,
    metadata: Mapping[str, str] | None,
    *,
    atomic: bool,
    backend: str,
) -> Mapping[str, str] | None:
    """
    Refuse a write that the backend did not declare.

    Returns:
        The metadata to hand on: a copy, which the caller cannot change while
        the content is being read.

    Raises:
        ValueError: See `check_metadata`.
        CapabilityNotSupported: Non-empty *metadata* without USER_METADATA, an
            atomic write without ATOMIC_WRITE, any write without WRITE.
    """
    if metadata:
        check_metadata(metadata)
        capabilities.require(Capability.USER_METADATA, backend=backend)
    if atomic:
        capabilities.require(Capability.ATOMIC_WRITE, backend=backend)
    capabilities.require(Capability.WRITE, backend=backend)
    return dict(metadata) if metadata else metadata


def check_metadata(metadata: Mapping[str, str]) -> None:
    """
    Refuse user metadata that not every backend could keep.

    Raises:
        ValueError: *metadata* is not a mapping; a key or value is not a str; a
            key is empty, starts with an underscore or is not ASCII; all keys
            and values together exceed `METADATA_LIMIT` bytes of UTF-8.
    """
    if not isinstance(metadata, Mapping):
        msg = f"metadata must be a mapping of str to str, got {type(metadata).__name__}"
        raise ValueError(msg)
    total = 0
    for key, value in metadata.items():
        if not isinstance(key, str):
            msg = f"metadata keys must be str, got {key!r}"
            raise ValueError(msg)
        if not isinstance(value, str):
            msg = f"metadata value of {key!r} must be a str, got {type(value).__name__}"
            raise ValueError(msg)
        if not key:
            msg = "metadata keys must not be empty"
            raise ValueError(msg)
        if key.startswith("_"):
            msg = f"metadata key {key!r} must not start with an underscore"
            raise ValueError(msg)
        if not key.isascii():
            msg = f"metadata key {key!r} must be ASCII"
            raise ValueError(msg)
        try:
            total += len(key) + len(value.encode())
        except UnicodeEncodeError as error:
            msg = f"metadata value of {key!r} cannot be encoded as UTF-8"
            raise ValueError(msg) from error
    if total > METADATA_LIMIT:
        msg = f"metadata takes {total} bytes, at most {METADATA_LIMIT} are allowed"
        raise ValueError(msg)


def backend_glob(root: str, pattern: str) -> str:
    """
    Return the pattern that a backend gets: below the root, which is not a pattern itself.

    Raises:
        InvalidPath, ValueError, re.error, TypeError: See `GlobPattern.parse`.
    """
    from remote_store._types.glob import GlobPattern, escape_glob  # few programs use globs

    text = GlobPattern.parse(pattern).text
    return f"{escape_glob(root)}/{text}" if root else text


def refuse_same_path(
    path: str | RemotePath, *, is_file: bool, is_folder: bool, backend: str
) -> None:
    """
    Decide a move or copy of *path* onto itself: nothing to do for a file.

    Raises:
        InvalidPath: It is a folder.
        NotFound: Nothing is there.
    """
    if is_file:
        return
    if is_folder:
        raise source_is_folder(text_of(path), backend)
    raise not_found(text_of(path), backend)


# After the call ------------------------------------------------------------


def _below(root: str, path: RemotePath) -> RemotePath:
    return RemotePath.from_backend_path(strip_root(root, path.as_posix()))


def rebased_file(root: str, info: FileInfo) -> FileInfo:
    """Return *info* with a path relative to *root*."""
    if not root:
        return info
    return FileInfo(
        _below(root, info.path),
        info.name,
        info.size,
        info.modified_at,
        info.digest,
        info.etag,
        info.content_type,
        info.metadata,
        info.extra,
        getattr(info, "headers", None),  # others' models may lack them
    )


def rebased_folder(root: str, entry: FolderEntry) -> FolderEntry:
    """Return *entry* with a path relative to *root*."""
    if not root:
        return entry
    is_link = getattr(entry, "is_link", False)  # others' models may lack it
    return FolderEntry(_below(root, entry.path), entry.name, is_link)


def rebased_entry(root: str, entry: FileInfo | FolderEntry) -> FileInfo | FolderEntry:
    """Return a child of either kind with a path relative to *root*."""
    if isinstance(entry, FileInfo):
        return rebased_file(root, entry)
    return rebased_folder(root, entry)


def rebased_folder_info(root: str, info: FolderInfo) -> FolderInfo:
    """Return *info* with a path relative to *root*; the root itself gives `RemotePath.ROOT`."""
    if not root:
        return info
    return FolderInfo(
        _below(root, info.path), info.file_count, info.total_size, info.modified_at, info.extra
    )


def rebased_result(root: str, result: WriteResult) -> WriteResult:
    """Return *result* with a path relative to *root*."""
    if not root:
        return result
    return WriteResult(
        _below(root, result.path),
        result.size,
        result.source,
        result.digest,
        result.etag,
        result.version_id,
        result.last_modified,
        result.metadata,
    )


def rebased_plan(key: str | RemotePath, plan: ResolutionPlan) -> ResolutionPlan:
    """Return *plan* with the key as the caller gave it."""
    return ResolutionPlan(plan.kind, plan.backend, text_of(key), plan.native_path, plan.details)


def head_of(info: FileInfo) -> WriteResult:
    """Return the snapshot that ``head`` gives."""
    return WriteResult(
        info.path,
        info.size,
        source="sidecar",
        digest=info.digest,
        etag=info.etag,
        last_modified=None if info.modified_at == UNKNOWN_TIME else info.modified_at,
        metadata=None if info.metadata is None else dict(info.metadata),
    )


def depth_below(folder: str, path: RemotePath) -> int:
    """Return how many folders lie between *folder* (a store path in normal form) and a file."""
    base = folder.count("/") + 1 if folder else 0
    return path.as_posix().count("/") - base


def name_matches(name: str, pattern: str | None) -> bool:
    """Return True if a basename passes the ``pattern`` argument of a listing."""
    return pattern is None or fnmatch.fnmatch(name, pattern)


def refuse_missing_folder(path: str | RemotePath, *, is_file: bool, backend: str) -> None:
    """
    Say why there is no folder at *path*.

    Raises:
        InvalidPath: A file is there.
        NotFound: Nothing is there.
    """
    if is_file:
        raise is_a_file(text_of(path), backend)
    msg = f"Folder not found: {path or 'the root of the store'}"
    raise NotFound(msg, path=text_of(path), backend=backend)


class FolderTally:
    """Adds up the files of a depth-limited folder info."""

    __slots__ = ("_count", "_latest", "_size")

    def __init__(self) -> None:
        self._count = self._size = 0
        self._latest = UNKNOWN_TIME

    def add(self, info: FileInfo) -> None:
        """Count one file."""
        self._count += 1
        self._size += info.size
        self._latest = max(self._latest, info.modified_at)

    def info(self, path: RemotePath) -> FolderInfo:
        """Return the sum; without a known time it has none."""
        latest = None if self._latest == UNKNOWN_TIME else self._latest
        return FolderInfo(path, self._count, self._size, latest)
