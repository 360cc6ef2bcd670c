"""What a tree in memory is made of."""

from __future__ import annotations

import weakref
from datetime import datetime
from typing import TypeAlias, final

from remote_store import ContentHeaders

__all__ = ["Files", "FolderNode", "FolderSnapshot", "Folders", "Version"]

#: One version of a file: its content, when it was written, its number (unique in
#: the tree) and, only if it has any, its user metadata in a dict of its own; only if
#: it has some, its content headers behind them.
#: It is replaced as a whole, so its reader has parts that belong together.
Version: TypeAlias = (
    tuple[bytes, datetime, int]
    | tuple[bytes, datetime, int, dict[str, str]]
    | tuple[bytes, datetime, int, dict[str, str], ContentHeaders]
)


@final
class FolderNode:
    """A folder; all callers see it from the moment that the one above it has it."""

    __slots__ = ("files", "folders", "gone", "key", "snapshot")

    def __init__(self) -> None:
        #: Its key, if the tree finds it by that.
        self.key: str | None = None
        #: By key and by name, both in the order of creation.
        self.files: Files = {}
        self.folders: Folders = {}
        #: Whether it was deleted.
        self.gone = False
        #: Where listings hold on to the two dicts, which then do not change: they are replaced.
        self.snapshot: weakref.ref[FolderSnapshot] | None = None

    def held(self) -> FolderSnapshot | None:
        """Return what listings hold on to, None where none does."""
        return None if self.snapshot is None else self.snapshot()


Files: TypeAlias = dict[str, Version]
Folders: TypeAlias = dict[str, FolderNode]


@final
class FolderSnapshot:
    """
    What was in a folder at one moment.

    A listing keeps it while it needs it. The first change of the folder
    meanwhile costs a copy of the two dicts, and none is made where nothing changes.
    """

    __slots__ = ("__weakref__", "copies", "files", "folders")

    def __init__(self, files: Files, folders: Folders) -> None:
        self.files = files
        self.folders = folders
        #: The copies, once they are made; the folder may not have them yet.
        self.copies: tuple[Files, Folders] | None = None
