"""Single files, and lists of them."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Mapping
from typing import Any, cast

from attrs import evolve, frozen

from remote_store import (
    Capability,
    CapabilityNotSupported,
    ContentDigest,
    NotFound,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store.aio import AsyncStore, ContentSource
from remote_store_transfer._copying.arrival import Arrival
from remote_store_transfer._copying.copy import Copier
from remote_store_transfer._copying.retry import copy_with_retries
from remote_store_transfer._listing.side import DISK, Side, require
from remote_store_transfer._planning.overlap import refuse_overlap
from remote_store_transfer._shortcuts import deletes_many
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import Version, version_of

__all__ = ["Deletion", "copy_between", "delete_many", "write_with_digest"]


@frozen
class Deletion:
    """
    What became of one path.

    Args:
        path: As it was given.
        error: Why it is still there; None if it was deleted, or was missing
            and that was allowed.
    """

    path: str | RemotePath
    error: RemoteStoreError | None = None

    @property
    def ok(self) -> bool:
        """True if no error came."""
        return self.error is None


async def delete_many(
    store: AsyncStore,
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
    """
    if isinstance(paths, (str, RemotePath)):
        msg = f"paths takes several paths: write [{str(paths)!r}]"
        raise TypeError(msg)
    if concurrency < 1:
        msg = f"concurrency must be at least 1, got {concurrency}"
        raise ValueError(msg)
    require(store, Capability.DELETE)
    named = list(paths)
    if len(named) > 1 and deletes_many(store):
        with contextlib.suppress(CapabilityNotSupported):
            found = await store.delete_many(named, missing_ok=missing_ok)
            return [Deletion(path, error) for path, error in zip(named, found, strict=True)]
    results = [Deletion(path) for path in named]
    places = iter(range(len(results)))

    async def work() -> None:
        for place in places:
            path = results[place].path
            try:
                await store.delete(path, missing_ok=missing_ok)
            except RemoteStoreError as error:
                results[place] = Deletion(path, error)

    async with task_group() as group:
        for _ in range(min(concurrency, len(results))):
            group.create_task(work())
    return results


async def write_with_digest(
    store: AsyncStore,
    path: str | RemotePath,
    content: ContentSource,
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
        content: As in `remote_store.aio.AsyncStore.write`; a file object is
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
    """
    require(store, Capability.WRITE)
    digest = hashlib.new(algorithm, usedforsecurity=False)
    if not digest.digest_size:
        msg = f"a digest by {algorithm!r} has any length: choose another algorithm"
        raise ValueError(msg)
    hashed = _hashed(content, digest.update)
    result = await store.write(path, hashed, overwrite=overwrite, metadata=metadata)
    ours = ContentDigest(algorithm, digest.hexdigest())
    theirs = result.digest
    if theirs is not None and theirs.algorithm == ours.algorithm and theirs != ours:
        msg = f"{path} was written, but the service reports {theirs.value} and not {ours.value}"
        raise RemoteStoreError(msg, path=str(path), outcome_unknown=True)
    return evolve(result, digest=ours)


def _hashed(content: Any, update: Callable[[bytes], object]) -> ContentSource:
    """Return content of the same kind that shows what is taken from it."""
    read: Any = getattr(content, "read", None)
    if inspect.iscoroutinefunction(read):
        return _AsyncReader(read, update)
    if isinstance(content, AsyncIterable):
        return _async_chunks(content, update)
    if callable(read):
        return _Reader(cast("Callable[[int], bytes]", read), update)
    try:
        body = bytes(memoryview(content))
    except TypeError:
        # What the store will refuse it shall refuse by itself.
        refused = isinstance(content, str) or not isinstance(content, Iterable)
        return cast("ContentSource", content) if refused else _chunks(content, update)
    update(body)
    return body


class _Reader:
    def __init__(self, read: Callable[[int], bytes], update: Callable[[bytes], object]) -> None:
        self._read = read
        self._update = update

    def read(self, size: int = -1, /) -> bytes:
        data = self._read(size)
        self._update(data)
        return data


class _AsyncReader:
    def __init__(self, read: Any, update: Callable[[bytes], object]) -> None:
        self._read = read
        self._update = update

    async def read(self, size: int = -1, /) -> bytes:
        data: bytes = await self._read(size)
        self._update(data)
        return data


def _chunks(
    content: Iterable[bytes], update: Callable[[bytes], object]
) -> Generator[bytes, None, None]:
    try:
        for chunk in content:
            update(chunk)
            yield chunk
    finally:
        if inspect.isgenerator(content):
            content.close()


async def _async_chunks(
    content: AsyncIterable[bytes], update: Callable[[bytes], object]
) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in content:
            update(chunk)
            yield chunk
    finally:
        if inspect.isasyncgen(content):
            await content.aclose()


async def copy_between(
    source: AsyncStore,
    source_path: str | RemotePath,
    target: AsyncStore,
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
    """
    if retries < 0:
        msg = f"retries must be at least 0, got {retries}"
        raise ValueError(msg)
    require(source, Capability.READ, Capability.METADATA)
    require(target, Capability.WRITE, *([Capability.METADATA] if overwrite else ()))
    ours, theirs = Side.of(source, source_path), Side.of(target, target_path)
    refuse_overlap(ours, theirs)
    copier = Copier(ours, theirs, one_store=source == target, metadata=metadata)
    seen = version_of(await source.get_file_info(source_path))
    replacing = await _version(target, target_path) if overwrite else None

    def ignore(_: int) -> None:
        pass

    try:
        return await copy_with_retries(copier, "", seen, replacing, retries, ignore, ignore)
    finally:
        DISK.close()


async def _version(store: AsyncStore, path: str | RemotePath) -> Version | None:
    try:
        return version_of(await store.get_file_info(path))
    except NotFound:
        return None
