"""The one table from the operating system's errors to ours, and where it is applied."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

from remote_store import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
)

__all__ = ["mapped", "translate"]

P = ParamSpec("P")
R = TypeVar("R")

_TABLE: Final[dict[int, tuple[type[RemoteStoreError], str]]] = {
    errno.ENOENT: (NotFound, "File or folder not found"),
    # Seen while reading: a path that runs through a file leads nowhere. Where
    # a write meets it, the write says which segment is in the way.
    errno.ENOTDIR: (NotFound, "File or folder not found"),
    errno.EEXIST: (AlreadyExists, "File already exists"),
    errno.ENOTEMPTY: (DirectoryNotEmpty, "Folder is not empty"),
    errno.EISDIR: (InvalidPath, "Path exists as a directory"),
    errno.ELOOP: (InvalidPath, "Path runs in a circle of links"),
    errno.ENAMETOOLONG: (InvalidPath, "Path is too long for the file system"),
    errno.EILSEQ: (InvalidPath, "Path has a name that the file system cannot hold"),
    errno.EACCES: (PermissionDenied, "Permission denied"),
    errno.EPERM: (PermissionDenied, "Permission denied"),
    errno.EROFS: (PermissionDenied, "Permission denied, the file system is read-only"),
    errno.EXDEV: (
        RemoteStoreError,
        "Cannot rename across file systems, which would not be atomic; copy and delete instead",
    ),
    errno.ENOSPC: (RemoteStoreError, "No space left on the file system"),
    errno.EDQUOT: (RemoteStoreError, "No space left in the quota"),
}


def translate(error: OSError, key: str, backend: str) -> RemoteStoreError:
    """
    Return our error for one of the operating system.

    Args:
        error: What a system call raised.
        key: The key that the operation was about.
        backend: Name of the backend.
    """
    number = error.errno if error.errno is not None else 0
    cls, text = _TABLE.get(number, (RemoteStoreError, error.strerror or type(error).__name__))
    return cls(f"{text}: {key!r}", path=key, backend=backend)


class _Named(Protocol):
    name: str


S = TypeVar("S", bound=_Named)


def mapped(
    operation: Callable[Concatenate[S, str, P], R],
) -> Callable[Concatenate[S, str, P], R]:
    """
    Translate what the system calls of *operation* raise.

    For methods that take the key first and run none of the caller's code.
    """

    @functools.wraps(operation)
    def call(self: S, key: str, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return operation(self, key, *args, **kwargs)
        except RemoteStoreError:  # some are OSErrors too
            raise
        except OSError as error:
            raise translate(error, key, self.name) from error

    return cast("Callable[Concatenate[S, str, P], R]", call)
