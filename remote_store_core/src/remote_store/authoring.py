r"""
What every backend needs: rules and words that are the same for all.

Nothing here must be used, and a backend that uses it keeps no more of the
contract than one that does the same by itself. It spares writing, and a
program reads the same words from every backend.

An error is made here and raised by the backend, which knows the cause:
``raise not_found(path, self.name) from error``. Its message does not repeat
the key, which ``str(error)`` shows behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from remote_store._errors import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    RemoteStoreError,
    StoreClosed,
)
from remote_store._path import seen

__all__ = [
    "RESERVED_PREFIX",
    "LeftOut",
    "already_exists",
    "ancestor_is_file",
    "as_bytes",
    "cannot_delete_root",
    "closed",
    "file_key",
    "first_with_others",
    "folder_key",
    "folder_not_empty",
    "is_a_file",
    "is_a_folder",
    "is_key",
    "is_reserved",
    "key_text",
    "not_found",
    "source_is_folder",
    "target_key",
]

#: How the names of temporary files begin, which backends keep for themselves.
#: Listings do not show them, and they are no targets.
RESERVED_PREFIX: Final = ".~tmp."

_ODD: Final = frozenset({"", ".", ".."})


# Keys ------------------------------------------------------------------------


def key_text(key: object) -> str:
    """
    Return a key as a plain str: one of a subclass may have an equality of its own.

    Raises:
        TypeError: *key* is not a str.
    """
    if not isinstance(key, str):
        msg = f"a path must be a str, got {type(key).__name__}"
        raise TypeError(msg)
    return str.__str__(key)


def folder_key(key: str, backend: str, *, utf8: bool = True) -> str:
    r"""
    Return the normal form of a key that may be the root, which is ``""``.

    A store hands over keys in normal form; who calls a backend without one may
    not. Empty and ``.`` segments are dropped. What a store would have changed
    otherwise, or refused, is refused.

    Args:
        key: What the caller gave.
        backend: Name of the backend, for the error.
        utf8: Refuse a key that has no UTF-8 form, half a surrogate pair for
            instance. False is for a storage that keeps any ``str``.

    Raises:
        InvalidPath: *key* has a leading ``/``, a ``..`` segment, a ``\``, a
            NUL, or no UTF-8 form.
        TypeError: *key* is not a str.
    """
    if type(key) is not str:
        key = key_text(key)
    elif key in seen and key.isascii():
        return key
    names = key.split("/")
    odd = not _ODD.isdisjoint(names)
    if "\0" in key:
        msg = "path contains a NUL character"
    elif "\\" in key:
        msg = r"path contains a backslash; between names stands '/'"
    elif odd and key.startswith("/"):
        msg = "path must not start with '/'"
    elif odd and ".." in names:
        msg = "path contains a '..' segment, which is never resolved"
    elif utf8 and not has_utf8(key):
        msg = "path has no UTF-8 form"
    else:
        return "/".join([name for name in names if name not in _ODD]) if odd else key
    raise InvalidPath(msg, path=key, backend=backend)


def file_key(key: str, backend: str, *, utf8: bool = True) -> str:
    """
    Return the normal form of a key that must not be the root.

    Args:
        key: What the caller gave.
        backend: Name of the backend, for the error.
        utf8: As for `folder_key`.

    Raises:
        InvalidPath: It is the root in any spelling; else as `folder_key`.
        TypeError: *key* is not a str.
    """
    normal = folder_key(key, backend, utf8=utf8)
    if not normal:
        msg = "path must not be empty, the root exists as a directory"
        raise InvalidPath(msg, path=key, backend=backend)
    return normal


def target_key(key: str, backend: str, *, utf8: bool = True) -> str:
    """
    Return the normal form of a key at which a file may be created.

    Args:
        key: What the caller gave.
        backend: Name of the backend, for the error.
        utf8: As for `folder_key`.

    Raises:
        InvalidPath: One of its names is reserved for temporary files; else as
            `file_key`.
        TypeError: *key* is not a str.
    """
    normal = file_key(key, backend, utf8=utf8)
    if is_reserved(normal):
        msg = f"names that start with {RESERVED_PREFIX!r} are reserved for temporary files"
        raise InvalidPath(msg, path=key, backend=backend)
    return normal


def is_reserved(key: str) -> bool:
    """Return True if a name in *key* is reserved for temporary files."""
    return RESERVED_PREFIX in key and any(
        name.startswith(RESERVED_PREFIX) for name in key.split("/")
    )


def is_key(name: str) -> bool:
    r"""
    Return True if a store has a path for what was found under *name*.

    Others may have put names there that are no paths in normal form: ``a//b``,
    ``../c``, ``d\e``. A listing leaves them out, see `LeftOut`.
    """
    return (
        "\\" not in name
        and "\0" not in name
        and has_utf8(name)
        and _ODD.isdisjoint(name.split("/"))
    )


def has_utf8(text: str) -> bool:
    """Return False for half a surrogate pair, which cannot be written as UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# Content ---------------------------------------------------------------------


def as_bytes(chunk: object) -> bytes:
    """
    Return a chunk of a caller's content as bytes.

    Of a ``bytearray`` or ``memoryview`` it is a copy: its owner may use the
    buffer again.

    Raises:
        TypeError: It is not bytes-like.
    """
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, (bytearray, memoryview)):
        return bytes(chunk)
    msg = f"content must consist of bytes, but its source gave {type(chunk).__name__}"
    raise TypeError(msg)


# Errors ----------------------------------------------------------------------
# Each takes the key that the error is about, the name of the backend, and the
# other fields of `RemoteStoreError`.


def not_found(key: str, backend: str, **fields: Any) -> NotFound:
    """Return the error for a key where nothing is."""
    return NotFound("File or folder not found", path=key, backend=backend, **fields)


def already_exists(key: str, backend: str, **fields: Any) -> AlreadyExists:
    """Return the error for a file at a target that must not be replaced."""
    return AlreadyExists("File already exists", path=key, backend=backend, **fields)


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
    msg = f"Cannot create the file: {what} exists as a file"
    return InvalidPath(msg, path=key, backend=backend, **fields)


def folder_not_empty(key: str, backend: str, **fields: Any) -> DirectoryNotEmpty:
    """Return the error for a folder with children that is deleted without ``recursive``."""
    return DirectoryNotEmpty("Folder is not empty", path=key, backend=backend, **fields)


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


# Listings and other walks ----------------------------------------------------


def first_with_others(errors: Iterable[RemoteStoreError]) -> RemoteStoreError:
    """
    Return the first error, all further ones in its ``others``, each once.

    For an operation that goes on after a failure and raises at its end.

    Args:
        errors: At least one, in the order in which they came.
    """
    first, *rest = errors
    told: dict[int, Exception] = {id(first): first} | {id(other): other for other in first.others}
    for error in rest:
        told |= {id(other): other for other in (error, *error.others)}
    del told[id(first)]
    first.others = tuple(told.values())
    return first


class LeftOut:
    """
    What one listing leaves out: one warning of each kind, which programs can tell.

    A record about names has the attribute ``names_left_out=True``, one about
    links ``links_left_out`` with their number.

    Args:
        log: The backend's logger.
        where: What is listed, for the message: a key, or the name of a container.
    """

    __slots__ = ("_links", "_log", "_warned", "_where")

    def __init__(self, log: logging.Logger, where: str) -> None:
        self._log = log
        self._where = where
        self._warned = False
        self._links = 0

    def name(self, name: str) -> None:
        """Say that a name is no path; only the first is said."""
        if not self._warned:
            self._warned = True
            self._log.warning(
                "Listing of %r leaves out names that no path can have, the first is %r",
                self._where,
                name,
                extra={"names_left_out": True},
            )

    def link(self, count: int = 1) -> None:
        """Count links that the listing does not enter, to folders or out of the root."""
        self._links += count

    def finish(self) -> None:
        """Say how many links there were, at the end of the listing."""
        if self._links:
            self._log.warning(
                "Listing of %r leaves out %d links, to folders or out of the root",
                self._where,
                self._links,
                extra={"links_left_out": self._links},
            )
