"""The sync forms of whole transfers: each runs its async namesake on a loop of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from remote_store import GlobPattern, RemotePath, Store
from remote_store_transfer import _trees
from remote_store_transfer._blocking import as_async_stores, run
from remote_store_transfer._execute import BYTES, CONCURRENCY, RETRIES
from remote_store_transfer._tally import Watch
from remote_store_transfer._values import Compare, Links, Order, TransferReport, VerifyReport

__all__ = ["copy_tree", "sync_tree", "verify_tree"]


def copy_tree(
    source: Store,
    target: Store,
    *,
    source_path: str | RemotePath = "",
    target_path: str | RemotePath = "",
    overwrite: bool = False,
    compare: Compare = "time",
    include: Iterable[str | GlobPattern] = (),
    exclude: Iterable[str | GlobPattern] = (),
    newer: datetime | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    links: Links = "report",
    order: Order = "size",
    concurrency: int = CONCURRENCY,
    max_bytes_in_flight: int = BYTES,
    progress: Watch | None = None,
    retries: int = RETRIES,
    metadata: bool = True,
) -> TransferReport:
    """
    Copy every file below a folder to the same relative path below another.

    Files that are equal already are skipped, so that giving the same call
    again completes a copy that was interrupted. Empty folders are not copied.

    Args:
        source: As for `plan`, like all up to *order*.
        target: Where to.
        source_path: Folder of *source*.
        target_path: Folder of *target*.
        overwrite: Replace files that differ; False makes each of them a failure.
        compare: How files are compared.
        include: Patterns of which one has to match.
        exclude: Patterns of which none may match.
        newer: Only files that were modified after this time.
        min_size: Only files of at least so many bytes.
        max_size: Only files of at most so many bytes.
        links: What becomes of links.
        order: Which files come first.
        concurrency: As for `execute`, like all that follow.
        max_bytes_in_flight: Bytes of files in flight.
        progress: Told how it goes on.
        retries: How often a file is tried again.
        metadata: Take user metadata and content headers along.

    Raises:
        ValueError, InvalidPath, CapabilityNotSupported: As `plan`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
        RuntimeError: An event loop runs in this thread.
    """
    ours, theirs = as_async_stores(source, target)
    work = _trees.copy_tree(
        ours,
        theirs,
        source_path=source_path,
        target_path=target_path,
        overwrite=overwrite,
        compare=compare,
        include=include,
        exclude=exclude,
        newer=newer,
        min_size=min_size,
        max_size=max_size,
        links=links,
        order=order,
        concurrency=concurrency,
        max_bytes_in_flight=max_bytes_in_flight,
        progress=progress,
        retries=retries,
        metadata=metadata,
    )
    return run(work, ours, theirs)


def sync_tree(
    source: Store,
    target: Store,
    *,
    source_path: str | RemotePath = "",
    target_path: str | RemotePath = "",
    delete: bool = False,
    compare: Compare = "time",
    include: Iterable[str | GlobPattern] = (),
    exclude: Iterable[str | GlobPattern] = (),
    newer: datetime | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    links: Links = "report",
    order: Order = "size",
    concurrency: int = CONCURRENCY,
    max_bytes_in_flight: int = BYTES,
    progress: Watch | None = None,
    retries: int = RETRIES,
    metadata: bool = True,
) -> TransferReport:
    """
    Make what is below a folder like what is below another: `copy_tree` that replaces.

    Args:
        source: As for `plan`, like all up to *order*.
        target: Where to.
        source_path: Folder of *source*.
        target_path: Folder of *target*.
        delete: Delete files that only the target has; at the end, and only
            if nothing failed.
        compare: How files are compared.
        include: Patterns of which one has to match.
        exclude: Patterns of which none may match.
        newer: Only files that were modified after this time.
        min_size: Only files of at least so many bytes.
        max_size: Only files of at most so many bytes.
        links: What becomes of links.
        order: Which files come first.
        concurrency: As for `execute`, like all that follow.
        max_bytes_in_flight: Bytes of files in flight.
        progress: Told how it goes on.
        retries: How often a file is tried again.
        metadata: Take user metadata and content headers along.

    Raises:
        ValueError, InvalidPath, CapabilityNotSupported: As `plan`.
        NotFound, RemoteStoreError, OSError: As `Plan.prepare`.
        RuntimeError: An event loop runs in this thread.
    """
    ours, theirs = as_async_stores(source, target)
    work = _trees.sync_tree(
        ours,
        theirs,
        source_path=source_path,
        target_path=target_path,
        delete=delete,
        compare=compare,
        include=include,
        exclude=exclude,
        newer=newer,
        min_size=min_size,
        max_size=max_size,
        links=links,
        order=order,
        concurrency=concurrency,
        max_bytes_in_flight=max_bytes_in_flight,
        progress=progress,
        retries=retries,
        metadata=metadata,
    )
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
