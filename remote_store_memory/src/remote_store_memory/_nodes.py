"""What a tree in memory is made of."""

from __future__ import annotations

from datetime import datetime
from typing import final

from remote_store import RemotePath
from remote_store_memory._keys import is_store_path

__all__ = ["File", "Folder", "Spot"]


@final
class File:
    """
    One version of a file under one path; never changed.

    Args:
        path: Its path, in the form that results carry.
        name: Its name in its folder.
        content: Its bytes.
        modified_at: When this version was written.
        etag: Token of this version, unique in the process.
        metadata: User metadata in a dict that nobody else holds, or None.
        listed: False where *path* is not quite its path, because no
            RemotePath has a backslash.
    """

    __slots__ = ("content", "etag", "listed", "metadata", "modified_at", "name", "path")

    def __init__(
        self,
        path: RemotePath,
        name: str,
        content: bytes,
        modified_at: datetime,
        etag: str,
        metadata: dict[str, str] | None,
        listed: bool,
    ) -> None:
        self.path = path
        self.name = name
        self.content = content
        self.modified_at = modified_at
        self.etag = etag
        self.metadata = metadata
        self.listed = listed


@final
class Folder:
    """The children of a folder, each kind by name and in the order of creation."""

    __slots__ = ("files", "folders")

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.folders: dict[str, Folder] = {}


@final
class Spot:
    """
    A place for a file.

    Args:
        names: All names of its key.
        folder: The deepest folder on the way that exists.
        depth: How many names lead to *folder*.
    """

    __slots__ = ("_depth", "_folder", "_names")

    def __init__(self, names: list[str], folder: Folder, depth: int) -> None:
        self._names = names
        self._folder = folder
        self._depth = depth

    def fill(
        self, content: bytes, modified_at: datetime, etag: str, metadata: dict[str, str] | None
    ) -> File:
        """Let a file appear, together with the folders it needs, in one step."""
        name = self._names[-1]
        key = "/".join(self._names)
        file = File(
            RemotePath(key), name, content, modified_at, etag, metadata, listed=is_store_path(key)
        )
        if self._depth == len(self._names) - 1:
            self._folder.files[name] = file
            return file
        branch = Folder()
        branch.files[name] = file
        for between in reversed(self._names[self._depth + 1 : -1]):
            above = Folder()
            above.folders[between] = branch
            branch = above
        self._folder.folders[self._names[self._depth]] = branch
        return file
