"""Keys that a backend gets from who calls it without a store: checked, and in normal form."""

from __future__ import annotations

from typing import Final

from remote_store._types.errors import InvalidPath
from remote_store._types.path import normal_paths

__all__ = [
    "RESERVED_PREFIX",
    "file_key",
    "folder_key",
    "is_key",
    "is_reserved",
    "key_text",
    "target_key",
]

#: How the names of temporary files begin, which backends keep for themselves.
#: Listings do not show them, and they are not targets.
RESERVED_PREFIX: Final = ".~tmp."

_ODD: Final = frozenset({"", ".", ".."})


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
    elif key in normal_paths and key.isascii():
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

    Others may have put names there that are not paths in normal form: ``a//b``,
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
