"""
The errors that every backend raises, in one wording.

Each function takes the key that the error is about, the name of the backend,
and the other fields of `RemoteStoreError`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from remote_store._types.capabilities import Capability
from remote_store._types.errors import (
    AlreadyExists,
    CapabilityNotSupported,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
    StoreClosed,
    unsupported,
)

__all__ = [
    "already_exists",
    "ancestor_is_file",
    "cannot_copy_from",
    "cannot_copy_many_from",
    "cannot_delete_many",
    "cannot_delete_root",
    "closed",
    "error_about",
    "first_with_others",
    "folder_not_empty",
    "is_a_file",
    "is_a_folder",
    "no_real_folders",
    "not_found",
    "other_version",
    "source_is_folder",
]


def not_found(key: str, backend: str, **fields: Any) -> NotFound:
    """Return the error for a key where nothing is."""
    return NotFound("File or folder not found", path=key, backend=backend, **fields)


def already_exists(key: str, backend: str, **fields: Any) -> AlreadyExists:
    """Return the error for a file at a target that must not be replaced."""
    return AlreadyExists("File already exists", path=key, backend=backend, **fields)


def other_version(key: str, backend: str, **fields: Any) -> PreconditionFailed:
    """Return the error for a key where the version is not that ``if_match`` asks for."""
    msg = "Another version of the file is there, or none; nothing was changed"
    return PreconditionFailed(msg, path=key, backend=backend, **fields)


def is_a_folder(key: str, backend: str, **fields: Any) -> InvalidPath:
    """Return the error for a folder where a file is needed."""
    msg = "Path exists as a directory, not as a file"
    return InvalidPath(msg, path=key, backend=backend, **fields)


def source_is_folder(key: str, backend: str, **fields: Any) -> InvalidPath:
    """Return the error for a folder that is to be moved or copied."""
    # With the key, since programs look for it there.
    msg = f"Cannot move or copy a directory: {key}"
    return InvalidPath(msg, path=key, backend=backend, **fields)


def is_a_file(key: str, backend: str, **fields: Any) -> InvalidPath:
    """Return the error for a file where a folder is needed."""
    msg = "Path exists as a file, not as a directory"
    return InvalidPath(msg, path=key, backend=backend, **fields)


def no_real_folders(key: str, backend: str) -> RemoteStoreError:
    """Return the error for a folder that is to be made where only files make folders."""
    needed = Capability.CREATE_FOLDER.value
    msg = (
        f"{needed!r} is not supported: backend {backend!r} declares no real folders, so that one "
        "exists only through the files in it; write the first of them"
    )
    return unsupported(msg, path=key, backend=backend, capability=needed)


def ancestor_is_file(
    key: str, backend: str, ancestor: str | None = None, **fields: Any
) -> InvalidPath:
    """
    Return the error for a target below a file.

    Args:
        key: The target.
        backend: Name of the backend.
        ancestor: Key of the file, None if it is not known.
        fields: See `RemoteStoreError`.
    """
    what = "a folder above the path" if ancestor is None else ancestor
    msg = f"Nothing can be created there: {what} exists as a file"
    return InvalidPath(msg, path=key, backend=backend, **fields)


def folder_not_empty(key: str, backend: str, **fields: Any) -> DirectoryNotEmpty:
    """Return the error for a folder with children that is deleted without ``recursive``."""
    return DirectoryNotEmpty("Folder is not empty", path=key, backend=backend, **fields)


def cannot_copy_from(key: str, backend: str, why: str = "") -> RemoteStoreError:
    """
    Return the error for a source in a storage from which this one does not copy by itself.

    Args:
        key: The target.
        backend: Name of the backend.
        why: What keeps it from that, if there is more to say.
    """
    told = f" ({why})" if why else ""
    msg = (
        f"backend {backend!r} does not copy from this source by itself{told}: nothing was done; "
        "read the file and write it instead"
    )
    return CapabilityNotSupported(msg, path=key, backend=backend, capability="copy_from")


def cannot_copy_many_from(backend: str, why: str = "") -> RemoteStoreError:
    """
    Return the error for files that are to be copied one by one, if at all.

    Args:
        backend: Name of the backend.
        why: What keeps it from copying them together, if there is more to say.
    """
    return _not_together("copy_many_from", backend, why)


def cannot_delete_many(backend: str, why: str = "") -> RemoteStoreError:
    """
    Return the error for files that are to be deleted one by one.

    Args:
        backend: Name of the backend.
        why: What keeps it from deleting them together, if there is more to say.
    """
    return _not_together("delete_many", backend, why)


def _not_together(capability: str, backend: str, why: str) -> RemoteStoreError:
    told = f" ({why})" if why else ""
    msg = (
        f"{capability!r} is not supported: backend {backend!r} does no more by it than file by "
        f"file{told}; nothing was done"
    )
    return CapabilityNotSupported(msg, backend=backend, capability=capability)


def cannot_delete_root(key: str, backend: str) -> InvalidPath:
    """Return the error for the root as the folder to delete."""
    msg = "Cannot delete the root, path must not be empty"
    return InvalidPath(msg, path=key, backend=backend)


def closed(backend: str, key: str | None = None, **fields: Any) -> StoreClosed:
    """
    Return the error for everything that is tried after a terminal close.

    Args:
        backend: Name of the backend.
        key: What the operation was about, None for the storage as a whole.
        fields: See `RemoteStoreError`; ``outcome_unknown=True`` where the close
            overtook a change.
    """
    return StoreClosed(f"backend {backend!r} is closed", path=key, backend=backend, **fields)


def error_about(error: RemoteStoreError, key: str) -> RemoteStoreError:
    """
    Return an error as one about another key: several keys have failed for one reason.

    Args:
        error: What was raised; it stays as it is.
        key: Of the file.
    """
    same = copy.copy(error)
    same.__cause__ = error.__cause__ or error
    same.path = key
    if isinstance(same, OSError):
        same.filename = key
    return same


def first_with_others(errors: Iterable[RemoteStoreError]) -> RemoteStoreError:
    """
    Return the first error, all further ones in its ``others``, each once.

    For an operation that goes on after a failure and raises at its end.

    Args:
        errors: At least one, in the order in which they came.
    """
    first, *rest = errors
    found: dict[int, Exception] = {id(first): first} | {id(other): other for other in first.others}
    for error in rest:
        found |= {id(other): other for other in (error, *error.others)}
    del found[id(first)]
    first.others = tuple(found.values())
    return first
