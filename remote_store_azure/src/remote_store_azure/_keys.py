"""Which keys a container holds, and how keys and blob names become each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from remote_store import InvalidPath, RemotePath, authoring
from remote_store.authoring import LeftOut, is_reserved

__all__ = ["NAME", "lister", "prefix_of", "target_key"]

#: What the backend calls itself, in errors too.
NAME: Final = "async-azure"
#: What XML has no form for. The service writes such names in a way of its own, where it takes
#: them, and its emulator cannot list the container any more.
_UNLISTABLE: Final = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def target_key(key: str) -> str:
    """
    Return *key* in normal form, at which a file may be created.

    Raises:
        InvalidPath: A name has a character that listings cannot show; else as
            `remote_store.authoring.target_key`.
        TypeError: *key* is not a str.
    """
    normal = authoring.target_key(key, NAME)
    if _UNLISTABLE.search(normal):
        msg = "path has a character that no listing of the service can show"
        raise InvalidPath(msg, path=key, backend=NAME)
    return normal


def prefix_of(key: str) -> str:
    """Return what the names of all blobs below a folder start with."""
    return f"{key}/" if key else ""


def lister(left_out: LeftOut) -> Callable[[str], RemotePath | None]:
    """
    Return a function from blob names to what one listing shows of them.

    It gives None for names that are not paths of a store, of which *left_out*
    takes note, and for our temporary files.
    """

    def shown(name: str) -> RemotePath | None:
        try:
            path = RemotePath(name)
        except InvalidPath:
            path = None
        if path is None or path.as_posix() != name:
            left_out.name(name)
            return None
        return None if is_reserved(name) else path

    return shown
