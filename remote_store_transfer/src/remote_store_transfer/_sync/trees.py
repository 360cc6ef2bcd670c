"""The sync forms of whole transfers: each runs its async namesake on a loop of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Unpack

from remote_store import RemotePath, Store
from remote_store_transfer import _trees
from remote_store_transfer._options import TreeOptions
from remote_store_transfer._sync.blocking import as_async_stores, run
from remote_store_transfer._values import Compare, Links, TransferReport

if TYPE_CHECKING:
    from remote_store import GlobPattern
    from remote_store_transfer._verify_report import VerifyReport

__all__ = ["copy_tree", "sync_tree", "verify_tree"]


def copy_tree(
    source: Store,
    target: Store,
    *,
    overwrite: bool = False,
    **options: Unpack[TreeOptions],
) -> TransferReport:
    """
    Copy every file below a folder to the same relative path below another.

    Files that are equal already are skipped, so that giving the same call
    again completes a copy that was interrupted. Empty folders are not copied.

    Args:
        source: Where from.
        target: Where to.
        overwrite: Replace files that differ; False makes each of them a failure.
        options: Those of `plan` and `execute`, as `TreeOptions` lists them.

    Raises:
        TypeError: An option is neither a `TreeOptions` key nor named above.
        ValueError, TypeError, InvalidPath, CapabilityNotSupported: As `plan` and `execute`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
        RuntimeError: An event loop runs in this thread.
    """
    ours, theirs = as_async_stores(source, target)
    work = _trees.copy_tree(ours, theirs, overwrite=overwrite, **options)
    return run(work, ours, theirs)


def sync_tree(
    source: Store,
    target: Store,
    *,
    delete: bool = False,
    **options: Unpack[TreeOptions],
) -> TransferReport:
    """
    Make what is below a folder like what is below another: `copy_tree` that replaces.

    Args:
        source: Where from.
        target: Where to.
        delete: Delete files that only the target has; at the end, and only
            if nothing failed.
        options: Those of `plan` and `execute`, as `TreeOptions` lists them.

    Raises:
        TypeError: An option is neither a `TreeOptions` key nor named above.
        ValueError, TypeError, InvalidPath, CapabilityNotSupported: As `plan` and `execute`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
        RuntimeError: An event loop runs in this thread.
    """
    ours, theirs = as_async_stores(source, target)
    work = _trees.sync_tree(ours, theirs, delete=delete, **options)
    return run(work, ours, theirs)


def verify_tree(
    source: Store,
    target: Store,
    *,
    source_path: str | RemotePath = "",
    target_path: str | RemotePath = "",
    compare: Compare = "content",
    include: Iterable[str | GlobPattern] = (),
    exclude: Iterable[str | GlobPattern] = (),
    links: Links = "report",
) -> VerifyReport:
    """
    Tell how what is below a folder differs from what is below another; changes nothing.

    Args:
        source: As for `plan`, like all others.
        target: What is compared with it.
        source_path: Folder of *source*.
        target_path: Folder of *target*.
        compare: How; ``"content"`` reads both sides where no common digest is known.
        include: Patterns of which one has to match.
        exclude: Patterns of which none may match.
        links: What becomes of links.

    Raises:
        ValueError, InvalidPath, CapabilityNotSupported: As `plan`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
        RuntimeError: An event loop runs in this thread.
    """
    ours, theirs = as_async_stores(source, target)
    work = _trees.verify_tree(
        ours,
        theirs,
        source_path=source_path,
        target_path=target_path,
        compare=compare,
        include=include,
        exclude=exclude,
        links=links,
    )
    return run(work, ours, theirs)
