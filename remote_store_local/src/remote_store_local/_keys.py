"""Which keys Windows would take for something else than a file of that name."""

from __future__ import annotations

import os
import re
from typing import Final

from remote_store import InvalidPath

__all__ = ["WINDOWS", "refuse_device_names", "windows_refuses"]

WINDOWS: Final = os.name == "nt"

# Compiled when they are used, which is not on other systems.
_DEVICE = r"(?is)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?"
_FORBIDDEN = r'[\x00-\x1f<>:"|?*\\]'


def windows_refuses(key: str) -> bool:
    """
    Return True if Windows would take *key* for something else than a file of that name.

    ``C:`` is a drive, ``a:b`` a stream of ``a``, ``nul.txt`` a device, and a
    trailing dot or space is dropped.
    """
    return any(
        re.search(_FORBIDDEN, name) or name[-1] in ". " or re.fullmatch(_DEVICE, name)
        for name in key.split("/")
    )


def refuse_device_names(key: str, backend: str, *, windows: bool = WINDOWS) -> str:
    """
    Return a key in normal form, unless the system would keep it under another name.

    Args:
        key: The key, as `remote_store.authoring` returns it.
        backend: Name of the backend, for the error.
        windows: Apply the rules of Windows.

    Raises:
        InvalidPath: Windows would take *key* for something else.
    """
    if windows and key and windows_refuses(key):
        msg = "no path that Windows can keep"
        raise InvalidPath(msg, path=key, backend=backend)
    return key
