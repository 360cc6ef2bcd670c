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
from remote_store.authoring import first_with_others

__all__ = ["CollectedErrors", "is_refusal", "mapped", "translate"]

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
    return cls(text, path=key, backend=backend)


def is_refusal(error: OSError) -> bool:
    """Return True for what says that nothing was done, False for what may have come on the way."""
    return error.errno in _TABLE


class CollectedErrors:
    """
    What failed in an operation that goes on all the same, and raises at its end.

    Args:
        backend: Name of the backend.
    """

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._errors: list[RemoteStoreError] = []

    def note(self, error: OSError | RemoteStoreError, key: str) -> RemoteStoreError:
        """Keep the error for *key*, and return it as one of ours."""
        if not isinstance(error, RemoteStoreError):
            native, error = error, translate(error, key, self._backend)
            error.__cause__ = native
        self._errors.append(error)
        return error

    def raise_first(self, *, changed: bool = False) -> None:
        """
        Raise the first error if there is one; its ``others`` are the rest.

        Args:
            changed: Something had been done before: ``outcome_unknown``.
        """
        if self._errors:
            first = first_with_others(self._errors)
            first.outcome_unknown = changed
            raise first


class _Refusing(Protocol):
    def refusal(self, error: OSError, key: str) -> RemoteStoreError: ...


S = TypeVar("S", bound=_Refusing)


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
            raise self.refusal(error, key) from error

    return cast("Callable[Concatenate[S, str, P], R]", call)
