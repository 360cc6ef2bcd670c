"""Paths of fsspec, with and without the protocol, and the keys of a store."""

from __future__ import annotations

import os
from typing import Final

from remote_store import RemotePath

__all__ = ["PROTOCOL", "Path", "split"]

#: The protocol under which fsspec knows us; the scheme of URLs.
PROTOCOL: Final = "remote-store"

#: What a path may be.
Path = str | os.PathLike[str] | RemotePath


def split(path: Path) -> tuple[str, str]:
    """
    Return the name of the store in a path, ``""`` without one, and the path in that store.

    ``remote-store://photos/2026/a.jpg`` names the store ``photos``,
    ``remote-store:///2026/a.jpg`` and ``2026/a.jpg`` name none.

    Args:
        path: With the protocol or without it.
    """
    text = str(path) if isinstance(path, RemotePath) else os.fspath(path)
    name = ""
    if text.startswith(f"{PROTOCOL}://"):
        name, _, text = text.removeprefix(f"{PROTOCOL}://").partition("/")
    else:
        text = text.removeprefix(f"{PROTOCOL}::")
    return name, "/".join(part for part in text.split("/") if part not in ("", "."))
