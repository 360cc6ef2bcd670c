"""Errors of a store as the ones of the operating system, which programs on fsspec expect."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import AsyncGenerator

from remote_store import InvalidPath, PreconditionFailed, RemoteStoreError, ResourceLocked
from remote_store.aio import AsyncStore

__all__ = ["os_errors"]


@contextlib.asynccontextmanager
async def os_errors(store: AsyncStore, *paths: str) -> AsyncGenerator[None, None]:
    """
    Raise what the block raises, as an `OSError` where it is none yet.

    Most errors of a store are one already. A folder in the place of a file
    becomes IsADirectoryError, a file in the place of a folder
    NotADirectoryError; a malformed path stays a ValueError, and what a store
    cannot do a NotImplementedError.

    Args:
        store: Is asked what is at a path that was refused.
        paths: The paths that the block is about.
    """
    try:
        yield
    except InvalidPath as error:
        for path in paths:
            if found := await _wrong_kind(store, path):
                raise found from error
        raise
    except RemoteStoreError as error:
        if isinstance(error, (OSError, ValueError, NotImplementedError)):
            raise
        raise OSError(_number(error), str(error)) from error


def _number(error: RemoteStoreError) -> int:
    if isinstance(error, PreconditionFailed):
        return errno.ESTALE
    return errno.EBUSY if isinstance(error, ResourceLocked) else errno.EIO


async def _wrong_kind(store: AsyncStore, path: str) -> OSError | None:
    """Return the error for a folder at *path*, or for a file above it."""
    try:
        if await store.is_folder(path):
            return IsADirectoryError(errno.EISDIR, "Is a directory", path)
        parts = path.split("/")
        for end in range(len(parts) - 1, 0, -1):
            above = "/".join(parts[:end])
            if await store.is_file(above):
                return NotADirectoryError(errno.ENOTDIR, "Not a directory", above)
    except RemoteStoreError:
        return None  # the error that is being looked into says more
    return None
