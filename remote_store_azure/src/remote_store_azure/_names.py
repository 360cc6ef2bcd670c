"""Which keys a container holds, and how keys and blob names become each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from remote_store import InvalidPath, RemotePath

__all__ = [
    "NAME",
    "RESERVED",
    "file_key",
    "folder_key",
    "is_reserved",
    "lister",
    "prefix_of",
    "target_key",
]

#: What the backend calls itself, in errors too.
NAME: Final = "async-azure"
#: Temporary files start with this; such names are neither listed nor accepted as targets.
RESERVED: Final = ".~tmp."
#: What XML has no form for. The service writes such names in a way of its own, where it takes
#: them, and its emulator cannot list the container any more.
_UNLISTABLE: Final = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def folder_key(key: str) -> str:
    r"""
    Return *key* in normal form, the root as ``""``.

    Empty and ``.`` segments are dropped. A backslash is refused: the service
    would store it as a slash, under another name than the caller's.

    Raises:
        InvalidPath: *key* has a leading ``/``, a ``..`` segment, a backslash,
            a NUL, or no UTF-8 form.
        TypeError: *key* is not a str.
    """
    if key in ("", "."):
        return ""
    try:
        normal = RemotePath(key).as_posix()
    except InvalidPath as error:
        if key[0] != "/" and all(name in ("", ".") for name in key.split("/")):
            return ""
        raise InvalidPath(str(error.args[0]), path=key, backend=NAME) from error
    if normal != key and (key[0] == "/" or "\\" in key):
        # A store has made one of its paths of it already.
        msg = f"not a key, it has a leading slash or a backslash: path {key!r}"
        raise InvalidPath(msg, path=key, backend=NAME)
    if not normal.isascii():
        try:
            normal.encode()
        except UnicodeEncodeError as error:
            msg = f"path has no UTF-8 form: {key!r}"
            raise InvalidPath(msg, path=key, backend=NAME) from error
    return normal


def file_key(key: str) -> str:
    """
    Return *key* in normal form, which must not be the root.

    Raises:
        InvalidPath: It is the root in any spelling; else as `folder_key`.
        TypeError: *key* is not a str.
    """
    normal = folder_key(key)
    if not normal:
        msg = f"path must not be empty: {key!r} is the root"
        raise InvalidPath(msg, path=key, backend=NAME)
    return normal


def target_key(key: str) -> str:
    """
    Return *key* in normal form, at which a file may be created.

    Raises:
        InvalidPath: One of its names is reserved for temporary files, or has a
            character that listings cannot show; else as `file_key`.
        TypeError: *key* is not a str.
    """
    normal = file_key(key)
    if _UNLISTABLE.search(normal):
        msg = f"path has a character that no listing of the service can show: {key!r}"
        raise InvalidPath(msg, path=key, backend=NAME)
    if is_reserved(normal):
        msg = f"path uses a name reserved for temporary files ('{RESERVED}*'): {key}"
        raise InvalidPath(msg, path=key, backend=NAME)
    return normal


def is_reserved(key: str) -> bool:
    """Return True if a segment of *key* is a name of our temporary files."""
    return RESERVED in key and any(name.startswith(RESERVED) for name in key.split("/"))


def prefix_of(key: str) -> str:
    """Return what the names of all blobs below a folder start with."""
    return f"{key}/" if key else ""


def lister(warn: Callable[[str], object]) -> Callable[[str], RemotePath | None]:
    """
    Return a function from blob names to what one listing shows of them.

    It gives None for names that are no path of a store, and calls *warn* with
    the first of them, and for our temporary files.
    """
    warned = False

    def shown(name: str) -> RemotePath | None:
        nonlocal warned
        try:
            path = RemotePath(name)
        except InvalidPath:
            path = None
        if path is None or path.as_posix() != name:
            if not warned:
                warned = True
                warn(name)
            return None
        return None if is_reserved(name) else path

    return shown
