"""The names of temporary files."""

from __future__ import annotations

from typing import Final

from remote_store.authoring import RESERVED_PREFIX
from remote_store_objects.authoring import prefix_of

__all__ = ["beside"]

#: Characters of the longest key.
_LONGEST: Final = 1024


def beside(key: str, token: str) -> str:
    """
    Return a reserved name in the folder of *key*; further up where it would be too long there.

    Args:
        key: Of the file that it is for.
        token: What distinguishes it from others.
    """
    name = f"{RESERVED_PREFIX}{token}"
    folder = key.rpartition("/")[0]
    while len(prefix_of(folder)) + len(name) > _LONGEST:
        folder = folder.rpartition("/")[0]
    return prefix_of(folder) + name
