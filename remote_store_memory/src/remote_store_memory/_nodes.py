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
        folder: The folder that it is in.
    """

    __slots__ = ("content", "etag", "folder", "listed", "metadata", "modified_at", "name", "path")

    def __init__(
        self,
        path: RemotePath,
        name: str,
        content: bytes,
        modified_at: datetime,
        etag: str,
        metadata: dict[str, str] | None,
        listed: bool,
        folder: Folder,
    ) -> None:
        self.path = path
        self.name = name
        self.content = content
        self.modified_at = modified_at
        self.etag = etag
        self.metadata = metadata
        self.listed = listed
        self.folder = folder

    def successor(
        self, content: bytes, modified_at: datetime, etag: str, metadata: dict[str, str] | None
    ) -> File:
        """Return the next version under the same path."""
        return File(
            self.path, self.name, content, modified_at, etag, metadata, self.listed, self.folder
        )


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
    ) -> tuple[str, File]:
        """Let a file appear, together with the folders it needs, in one step; return its key."""
        name = self._names[-1]
        key = "/".join(self._names)
        missing = self._names[self._depth : -1]
        branch = folder = Folder() if missing else self._folder
        path, listed = RemotePath(key), is_store_path(key)
        file = File(path, name, content, modified_at, etag, metadata, listed, folder)
        folder.files[name] = file
        for between in reversed(missing[1:]):
            above = Folder()
            above.folders[between] = branch
            branch = above
        if missing:
            self._folder.folders[missing[0]] = branch
        return key, file
