"""Which keys a folder of files can hold."""

from __future__ import annotations

import os
import re
from typing import Final

from remote_store import InvalidPath, RemotePath

__all__ = ["RESERVED", "WINDOWS", "check_key", "is_key", "is_reserved", "windows_refuses"]

#: Temporary files start with this; such names are neither seen nor accepted.
RESERVED: Final = ".~tmp."

WINDOWS: Final = os.name == "nt"

_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"|?*\\]')


def is_reserved(key: str) -> bool:
    """Return True if a segment of *key* is a name of our temporary files."""
    return RESERVED in key and any(name.startswith(RESERVED) for name in key.split("/"))


def windows_refuses(key: str) -> bool:
    """
    Return True if Windows would take *key* for something else than a file of that name.

    ``C:`` is a drive, ``a:b`` a stream of ``a``, ``nul.txt`` a device, and a
    trailing dot or space is dropped.
    """
    return any(
        _FORBIDDEN.search(name) or name[-1] in ". " or _DEVICE.fullmatch(name)
        for name in key.split("/")
    )


def check_key(key: str, backend: str, *, windows: bool = WINDOWS) -> str:
    """
    Return *key* in normal form, the root as ``""``.

    Empty and ``.`` segments are dropped.

    Args:
        key: What the caller gave.
        backend: Name of the backend, for the error.
        windows: Apply the rules of Windows as well.

    Raises:
        InvalidPath: *key* has a leading ``/``, a ``..`` segment, a backslash,
            a NUL, or no UTF-8 form; or Windows would take it for something
            else.
        TypeError: *key* is not a str.
    """
    if key in ("", "."):
        return ""
    try:
        normal = RemotePath(key).as_posix()
    except InvalidPath as error:
        if _is_root(key):
            return ""
        raise InvalidPath(str(error.args[0]), path=key, backend=backend) from error
    if normal != key and (key[0] == "/" or "\\" in key):
        # A store has made one of its paths of it already.
        msg = f"not a key: it has a leading slash or a backslash: {key!r}"
        raise InvalidPath(msg, path=key, backend=backend)
    if not normal.isascii():
        try:
            normal.encode()
        except UnicodeEncodeError as error:
            msg = f"path has no UTF-8 form: {key!r}"
            raise InvalidPath(msg, path=key, backend=backend) from error
    if windows and windows_refuses(normal):
        msg = f"no path that Windows can keep: {key!r}"
        raise InvalidPath(msg, path=key, backend=backend)
    return normal


def _is_root(key: str) -> bool:
    """Return True for what is left with nothing when its empty and ``.`` segments are dropped."""
    return key[0] != "/" and all(name in ("", ".") for name in key.split("/"))


def is_key(name: str) -> bool:
    """Return True if *name*, found on disk, can be a segment of a key."""
    if "\\" in name:
        return False
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
