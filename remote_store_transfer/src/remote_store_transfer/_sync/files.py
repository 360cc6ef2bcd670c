"""The sync forms of what is done to single files, and to lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from remote_store import RemotePath, Store, SyncContentSource, WriteResult
from remote_store_transfer import _files
from remote_store_transfer._copying.arrival import Arrival
from remote_store_transfer._files import Deletion
from remote_store_transfer._sync.blocking import as_async_store, as_async_stores, run

__all__ = ["copy_between", "delete_many", "write_with_digest"]


def delete_many(
    store: Store,
    paths: Iterable[str | RemotePath],
    *,
    missing_ok: bool = False,
    concurrency: int = 16,
) -> list[Deletion]:
    """
    Delete files, several at a time; one that fails keeps no other from being deleted.

    Flat Azure accounts and S3 delete up to 256 or 1,000 files by one request.
    Each path has the same result nevertheless: on S3, whose batches do not
    tell what was missing or a folder, one more request lists up to 1,000 files
    around them, and files that it does not show are deleted one by one.

    Args:
        store: Where.
        paths: Paths of files.
        missing_ok: A missing file is no error.
        concurrency: Deletions at a time, where each is a request of its own.

    Returns:
        One result for each path, in their order.

    Raises:
        ValueError: *concurrency* is less than 1.
        TypeError: *paths* is one path.
        CapabilityNotSupported: The store cannot delete.
        RuntimeError: An event loop runs in this thread.
    """
    ours = as_async_store(store)
    work = _files.delete_many(ours, paths, missing_ok=missing_ok, concurrency=concurrency)
    return run(work, ours)


def write_with_digest(
    store: Store,
    path: str | RemotePath,
    content: SyncContentSource,
    *,
    algorithm: str = "sha256",
    overwrite: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> WriteResult:
    """
    Write a file and compute a digest of what was written, in one pass.

    Args:
        store: Where.
        path: Path of a file.
        content: As in `remote_store.Store.write`; a file object is
            read in steps.
        algorithm: A name that `hashlib.new` knows.
        overwrite: Replace an existing file; False refuses it.
        metadata: User metadata.

    Returns:
        The write's result, whose ``digest`` is of the bytes that were handed
        over, whatever the service computes by itself.

    Raises:
        ValueError: *algorithm* is unknown or has no length of its own, or
            *metadata* breaks a rule.
        RemoteStoreError: The service reports another digest of the same
            algorithm; the file is there. Else as ``write``.
        TypeError: *content* is nothing that can be written, or *store* a
            sync one.
        RuntimeError: An event loop runs in this thread.
    """
    ours = as_async_store(store)
    work = _files.write_with_digest(
        ours, path, content, algorithm=algorithm, overwrite=overwrite, metadata=metadata
    )
    return run(work, ours)


def copy_between(
    source: Store,
    source_path: str | RemotePath,
    target: Store,
    target_path: str | RemotePath,
    *,
    overwrite: bool = False,
    metadata: bool = True,
    retries: int = 2,
) -> Arrival:
    """
    Copy one file between any two stores: one version of it, or none.

    Args:
        source: Where from.
        source_path: Path of a file.
        target: Where to; the same store copies by itself, if it can.
        target_path: Path of the new file; its parent folders are created.
        overwrite: Replace a file that is there; False refuses it, exclusively.
        metadata: Take user metadata and content headers along where both
            stores keep them.
        retries: How often it is tried again when the source changed
            meanwhile, or a store did not answer.

    Returns:
        What arrived.

    Raises:
        NotFound: The source does not exist.
        InvalidPath: A path is empty, malformed or a folder.
        AlreadyExists: A file is there and *overwrite* is False.
        PreconditionFailed: The source changed in every attempt, or the target
            was changed meanwhile; nothing was written.
        CapabilityNotSupported: The source cannot be read or looked at, or the
            target not be written (nor looked at, with *overwrite*).
        ValueError: Source and target are one file, or *retries* is below 0.
        RuntimeError: An event loop runs in this thread.
    """
    ours, theirs = as_async_stores(source, target)
    work = _files.copy_between(
        ours,
        source_path,
        theirs,
        target_path,
        overwrite=overwrite,
        metadata=metadata,
        retries=retries,
    )
    return run(work, ours, theirs)
