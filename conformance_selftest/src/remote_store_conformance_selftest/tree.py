"""The storage behind the reference backend: one dict, shared by any number of backends."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime

from attrs import Factory, define, field, frozen

from remote_store import ContentHeaders

__all__ = ["File", "Tree", "parents"]


@frozen
class File:
    """One version of a file."""

    content: bytes
    time: datetime
    etag: str
    metadata: dict[str, str] | None = None
    headers: ContentHeaders | None = None


@define(eq=False)
class Tree:
    """
    The storage behind a backend; several backends may share one.

    Args:
        flat: Folders are prefixes: they exist as long as a file is below them.
        shared_names: A file and a folder may share a name.
        terminal: A closed backend refuses to work on.
    """

    flat: bool = False
    shared_names: bool = field(default=Factory(lambda self: self.flat, takes_self=True))
    terminal: bool = True
    files: dict[str, File] = field(factory=dict)
    folders: set[str] = field(factory=set)
    lock: threading.RLock = field(factory=threading.RLock)
    versions: itertools.count[int] = field(factory=lambda: itertools.count(1))

    def is_folder(self, key: str) -> bool:
        """Tell whether a folder is at *key*."""
        if not key:
            return True
        if self.flat:
            with self.lock:
                return any(k.startswith(f"{key}/") for k in self.files)
        return key in self.folders

    def put(self, key: str, file: File) -> None:
        """Put a file, whatever is there, and make the folders above it."""
        self.files[key] = file
        if not self.flat:
            self.folders.update(parents(key))

    def new_etag(self) -> str:
        """Return a token that no version had before."""
        return f"V{next(self.versions):06x}"


def parents(key: str) -> list[str]:
    """Return the keys of the folders above *key*, without the root."""
    names = key.split("/")[:-1]
    return ["/".join(names[: i + 1]) for i in range(len(names))]
