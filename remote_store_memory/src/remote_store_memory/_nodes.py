"""What a tree in memory is made of."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, final

from remote_store import RemotePath
from remote_store_memory._keys import is_store_path

__all__ = ["File", "Folder", "Spot", "Version"]


#: One version of a file: its content, when it was written, its ETag (unique in
#: the process) and its user metadata in a dict that nobody else holds, or None.
Version: TypeAlias = tuple[bytes, datetime, str, dict[str, str] | None]


@final
class File:
    """
    A file under one path.

    Args:
        path: Its path, in the form that results carry.
        name: Its name in its folder.
        listed: False where *path* is not quite its path, because no
            RemotePath has a backslash.
        version: Its current version: replaced as a whole, so that whoever
            takes it without a lock has parts that belong together.
    """

    __slots__ = ("listed", "name", "path", "version")

    def __init__(self, path: RemotePath, name: str, listed: bool, version: Version) -> None:
        self.path = path
        self.name = name
        self.listed = listed
        self.version = version


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

    def fill(self, version: Version) -> tuple[str, Folder, str, File]:
        """
        Let a file appear, together with the folders it needs, in one step.

        Returns:
            The key of its folder, the folder, its own key, and the file.
        """
        name = self._names[-1]
        above = "/".join(self._names[:-1])
        key = f"{above}/{name}" if above else name
        missing = self._names[self._depth : -1]
        branch = home = Folder() if missing else self._folder
        file = home.files[name] = File(RemotePath(key), name, is_store_path(key), version)
        for between in reversed(missing[1:]):
            folder = Folder()
            folder.folders[between] = branch
            branch = folder
        if missing:
            self._folder.folders[missing[0]] = branch
        return above, home, key, file
