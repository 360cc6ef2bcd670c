"""Answers of a backend, told with paths as the store has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remote_store._types.models import (
    FileInfo,
    FolderEntry,
    WriteResult,
)
from remote_store._types.path import RemotePath, known_path, strip_root, text_of

if TYPE_CHECKING:
    from remote_store._types.folder_info import FolderInfo
    from remote_store._types.resolution import ResolutionPlan

__all__ = [
    "rebased_entry",
    "rebased_file",
    "rebased_folder",
    "rebased_folder_info",
    "rebased_plan",
    "rebased_result",
]


def _below(root: str, path: RemotePath) -> RemotePath:
    below = strip_root(root, path.as_posix())
    return known_path(below) if below else RemotePath.ROOT


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
    # The backend has loaded it, unless its model is one of others.
    from remote_store._types.folder_info import FolderInfo

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
    # The backend has loaded it.
    from remote_store._types.resolution import ResolutionPlan

    return ResolutionPlan(plan.kind, plan.backend, text_of(key), plan.native_path, plan.details)
