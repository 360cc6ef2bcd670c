"""
What a store decides before and after a backend call.

Pure functions without I/O. Each rule is written once; the sync and the async
store differ only in how they wait.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from remote_store._contract.standard_errors import is_a_file, not_found, source_is_folder
from remote_store._types.capabilities import Capability, CapabilitySet
from remote_store._types.errors import InvalidPath, NotFound
from remote_store._types.models import (
    UNKNOWN_TIME,
    FileInfo,
    WriteResult,
)
from remote_store._types.path import RemotePath, normal_paths, normalise, text_of

if TYPE_CHECKING:
    from remote_store._types.folder_info import FolderInfo

__all__ = [
    "FolderTally",
    "backend_glob",
    "check_max_depth",
    "depth_below",
    "encoded",
    "file_key",
    "folder_info_key",
    "folder_key",
    "head_of",
    "listed_recursively",
    "name_matches",
    "refuse_missing_folder",
    "refuse_root_delete",
    "refuse_same_path",
    "root_key",
]


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
        # Not before a folder is added up.
        from remote_store._types.folder_info import FolderInfo

        return FolderInfo(path, self._count, self._size, latest)
