"""
The copy engine: files from any store to any store, a few at a time, nothing on a console.

Content streams from the source's read into the target's atomic write, so
that memory stays bounded and an interruption leaves no part of a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import Literal, Protocol

from attrs import Factory, define, evolve, frozen

from remote_store import (
    AlreadyExists,
    Capability,
    FileInfo,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_cli._compare import Comparison, compare, sha256_of, stat
from remote_store_cli._opening import OpenedPath, is_within
from remote_store_cli._outcome import EXPECTED, failures

__all__ = [
    "FileResult",
    "Policy",
    "ProgressListener",
    "TransferTotals",
    "copy_file",
    "copy_tree",
    "move_file",
]


@frozen
class Policy:
    """
    How to copy.

    Args:
        overwrite: Replace files that differ; False refuses them, exclusively.
        skip_equal: Leave a file alone that is equal already.
        checksum: Compare contents where no digest is known, see `compare`.
        metadata: Take user metadata along where both stores keep it.
        jobs: Files in flight.
    """

    overwrite: bool = False
    skip_equal: bool = True
    checksum: bool = False
    metadata: bool = True
    jobs: int = 8


@frozen
class FileResult:
    """
    What became of one file.

    Args:
        action: ``"copied"`` or ``"skipped"``.
        size: Bytes; None where it is not known.
        compared_by: What showed a skipped file to be equal.
        metadata_left: It has user metadata that the target cannot keep.
    """

    action: Literal["copied", "skipped"]
    size: int | None
    compared_by: Comparison | None = None
    metadata_left: bool = False


@define
class TransferTotals:
    """Sums over a transfer; *skipped* counts by what was compared."""

    copied: int = 0
    copied_bytes: int = 0
    skipped: Counter[Comparison] = Factory(Counter)
    failed: int = 0
    metadata_left: int = 0

    def add(self, outcome: FileResult) -> None:
        """Count one file."""
        if outcome.action == "copied":
            self.copied += 1
            self.copied_bytes += outcome.size or 0
        elif outcome.compared_by is not None:
            self.skipped[outcome.compared_by] += 1
        self.metadata_left += outcome.metadata_left


class ProgressListener(Protocol):
    """Is called while a transfer goes on."""

    def advance(self, size: int) -> None:
        """So many bytes more have been read."""

    def skipped(self, size: int) -> None:
        """A file of so many bytes need not be copied."""

    def failed(self, path: str, error: Exception) -> None:
        """A file could not be copied, or a folder not be listed."""


async def copy_tree(
    source: OpenedPath, target: OpenedPath, policy: Policy, listener: ProgressListener
) -> TransferTotals:
    """
    Copy every file below a folder to the same relative path below another.

    A file that fails is reported and does not keep the others from being
    copied. Empty folders are not copied: not every store has such a thing.

    Args:
        source: A folder.
        target: A folder, which need not exist and does not lie in *source*.
        policy: How to copy.
        listener: Called with progress and failures.
    """
    report = TransferTotals()
    taking = asyncio.Lock()
    listing = source.store.list_files(source.key, recursive=True)

    async def next_file() -> FileInfo | None:
        async with taking:
            try:
                return await anext(listing, None)
            except EXPECTED as error:
                # It comes at the end of the listing, which went on after what failed.
                for failure in failures(error):
                    report.failed += 1
                    where = getattr(failure, "path", None) or source.key or source.location.text
                    listener.failed(where, failure)
                return None

    async def work() -> None:
        while (file := await next_file()) is not None:
            path = _relative(file, source)
            try:
                outcome = await copy_file(
                    source.at(path), target.at(path), policy, listener, size=file.size
                )
            except EXPECTED as error:
                report.failed += 1
                listener.failed(path, error)
            else:
                report.add(outcome)

    async with contextlib.aclosing(listing), asyncio.TaskGroup() as group:
        for _ in range(policy.jobs):
            group.create_task(work())
    return report


def _relative(file: FileInfo, folder: OpenedPath) -> str:
    path = file.path.as_posix()
    return path[len(folder.key) + 1 :] if folder.key else path


async def copy_file(
    source: OpenedPath,
    target: OpenedPath,
    policy: Policy,
    listener: ProgressListener,
    *,
    size: int | None = None,
) -> FileResult:
    """
    Copy one file, unless the policy says that it need not be.

    Args:
        source: A file.
        target: Where to.
        policy: How to copy.
        listener: Called with the bytes that were read.
        size: Bytes, as in a listing; None where it is not known.

    Raises:
        AlreadyExists: There is a file that differs (or with ``skip_equal``
            off: any file) and ``overwrite`` is off.
        PreconditionFailed: The source changed while it was read; nothing was written.
        RemoteStoreError: As the stores raise it.
    """
    if policy.overwrite and policy.skip_equal and await target.store.is_file(target.key):
        skipped = await _skip(source, target, policy, listener, size)
        if isinstance(skipped, FileResult):
            return skipped
    try:
        return await _transfer(source, target, policy, listener, size)
    except AlreadyExists as error:
        if policy.overwrite or not policy.skip_equal:
            raise
        skipped = await _skip(source, target, policy, listener, size)
        if isinstance(skipped, FileResult):
            return skipped
        why = "cannot be compared" if skipped == "nothing" else f"differs ({skipped})"
        msg = f"{target.key} exists and {why}; --overwrite replaces it"
        raise AlreadyExists(msg, path=target.key, backend=error.backend) from error


async def _skip(
    source: OpenedPath,
    target: OpenedPath,
    policy: Policy,
    listener: ProgressListener,
    size: int | None,
) -> FileResult | Comparison:
    """Return the outcome of a file that is equal, else what showed a difference."""
    verdict = await compare(source, target, checksum=policy.checksum)
    if not verdict.equal:
        return verdict.by
    listener.skipped(size or 0)
    return FileResult("skipped", size, verdict.by)


async def _transfer(
    source: OpenedPath,
    target: OpenedPath,
    policy: Policy,
    listener: ProgressListener,
    size: int | None,
) -> FileResult:
    if source.store is target.store and source.store.supports(Capability.COPY):
        await source.store.copy(source.key, target.key, overwrite=policy.overwrite)
        listener.advance(size or 0)
        return FileResult("copied", size)
    before = await stat(source)
    metadata = None
    if before is not None:
        size = before.size
        if policy.metadata and source.store.supports(Capability.USER_METADATA):
            metadata = before.metadata or None
    keeps = target.store.supports(Capability.USER_METADATA)
    atomic = target.store.supports(Capability.ATOMIC_WRITE)
    write = target.store.write_atomic if atomic else target.store.write
    sent = 0

    def advance(count: int) -> None:
        nonlocal sent
        sent += count
        listener.advance(count)

    result = await write(
        target.key,
        _content(source, before, size, advance),
        overwrite=policy.overwrite,
        metadata=metadata if keeps else None,
    )
    if result.size != sent:
        msg = f"{target.key} has {result.size} bytes after the copy, but {sent} were sent"
        raise RemoteStoreError(msg, path=target.key)
    return FileResult("copied", result.size, metadata_left=bool(metadata) and not keeps)


async def _content(
    source: OpenedPath, before: FileInfo | None, size: int | None, advance: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    """Yield one version of a file's content; what was read of two is an error at its end."""
    total = 0
    async with contextlib.aclosing(source.store.read(source.key)) as chunks:
        async for chunk in chunks:
            total += len(chunk)
            advance(len(chunk))
            yield chunk
    # Raised inside the write, which then leaves the target as it was.
    if size is not None and total != size:
        msg = f"{source.key} changed while it was copied: {total} bytes instead of {size}"
        raise PreconditionFailed(msg, path=source.key)
    if before is not None:
        try:
            after = await stat(source)
        except NotFound as error:
            msg = f"{source.key} was removed while it was copied"
            raise PreconditionFailed(msg, path=source.key) from error
        if after is None or _version(after) != _version(before):
            msg = f"{source.key} changed while it was copied; copy it again"
            raise PreconditionFailed(msg, path=source.key)


async def move_file(
    source: OpenedPath, target: OpenedPath, policy: Policy, listener: ProgressListener
) -> None:
    """
    Move one file: within a store by its own move, else by copy, verification and delete.

    The source is deleted only when the copy is proven to be another object,
    was verified, and the source is what it was before.

    Args:
        source: A file.
        target: Where to; another file than *source*.
        policy: How to copy; equal files are not skipped, and with ``checksum``
            the verification reads both contents.
        listener: Called with the bytes that were read.

    Raises:
        AlreadyExists: *target* exists and ``overwrite`` is off.
        PreconditionFailed: The verification failed or the source changed, and
            it is kept; or a target that is to be replaced cannot be distinguished from
            the source, and nothing was done.
        RemoteStoreError: As the stores raise it.
    """
    if source.store is target.store and source.store.supports(Capability.MOVE):
        try:
            await source.store.move(source.key, target.key, overwrite=policy.overwrite)
        except RemoteStoreError as error:
            if not _crosses_file_systems(error):
                raise
        else:
            return
    # What a write created exclusively cannot be the source; what it replaced could.
    if policy.overwrite and is_within(target, source) is not False:
        msg = (
            f"it cannot be told whether {target.key} is {source.key} itself; "
            "copy it, then remove the source"
        )
        raise PreconditionFailed(msg, path=source.key)
    before = await stat(source)
    await copy_file(source, target, evolve(policy, skip_equal=False), listener)
    await _verify(source, target, policy)
    after = await stat(source)
    if before is not None and after is not None and _version(before) != _version(after):
        msg = f"{source.key} changed while it was moved: it is copied, and kept"
        raise PreconditionFailed(msg, path=source.key)
    await source.store.delete(source.key)


def _crosses_file_systems(error: RemoteStoreError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EXDEV


def _version(info: FileInfo) -> tuple[object, ...]:
    return info.etag, info.size, info.modified_at


async def _verify(source: OpenedPath, target: OpenedPath, policy: Policy) -> None:
    a, b = await stat(source), await stat(target)
    fault = None
    if a is not None and b is not None:
        if a.size != b.size:
            fault = "size"
        elif a.digest and b.digest and a.digest.algorithm == b.digest.algorithm:
            fault = "digest" if a.digest != b.digest else None
    if fault is None and policy.checksum and await sha256_of(source) != await sha256_of(target):
        fault = "sha256"
    if fault is not None:
        msg = f"{target.key} is not what {source.key} is ({fault}); the source is kept"
        raise PreconditionFailed(msg, path=source.key)
