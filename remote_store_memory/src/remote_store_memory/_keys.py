"""How a key given to the backend becomes one in normal form: names joined by single slashes."""

from __future__ import annotations

from typing import Final

from remote_store import InvalidPath

__all__ = ["as_text", "folder_key", "is_store_path", "source_key", "target_key"]

_ODD: Final = frozenset({"", ".", ".."})
#: How the names start that stores keep for their own temporary files.
_RESERVED: Final = ".~tmp."


def as_text(key: object) -> str:
    """
    Return a key as a plain str: one of a subclass may have an equality of its own.

    Raises:
        TypeError: *key* is not a str.
    """
    if not isinstance(key, str):
        msg = f"a path must be a str, got {type(key).__name__}"
        raise TypeError(msg)
    return str.__str__(key)


def folder_key(key: str, backend: str) -> str:
    r"""
    Return the normal form of a key that may be the root, ``""``.

    Empty and ``.`` segments are dropped. ``\`` is an ordinary character here:
    a store has made it a ``/`` already.

    Args:
        key: The key as it was given.
        backend: Name of the backend, for errors.

    Raises:
        InvalidPath: *key* has a leading ``/``, a ``..`` segment or a NUL.
    """
    names = key.split("/")
    if _ODD.isdisjoint(names) and "\0" not in key:
        return key
    if "\0" in key:
        msg = f"path contains a NUL character: {key!r}"
    elif key.startswith("/"):
        msg = f"path must not start with '/': {key}"
    elif ".." in names:
        msg = f"path contains a '..' segment, which is never resolved: {key}"
    else:
        return "/".join([name for name in names if name not in _ODD])
    raise InvalidPath(msg, path=key, backend=backend)


def source_key(key: str, backend: str) -> str:
    """
    Return the normal form of a key that must not be the root.

    Raises:
        InvalidPath: *key* is the root in any spelling; else as `folder_key`.
    """
    normal = folder_key(key, backend)
    if not normal:
        msg = f"path must not be empty: {key!r} is the root"
        raise InvalidPath(msg, path=key, backend=backend)
    return normal


def target_key(key: str, backend: str) -> str:
    """
    Return the normal form of a key at which a file may be created.

    Raises:
        InvalidPath: One of the names is reserved for temporary files; else as
            `source_key`.
    """
    normal = source_key(key, backend)
    if _RESERVED in key and any(name.startswith(_RESERVED) for name in normal.split("/")):
        msg = f"path uses a name reserved for temporary files ('{_RESERVED}*'): {key}"
        raise InvalidPath(msg, path=key, backend=backend)
    return normal


def is_store_path(key: str) -> bool:
    """Return False for a normal key that no path of a store equals: one with a backslash."""
    return "\\" not in key
