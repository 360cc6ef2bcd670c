"""Backends whose folders are made wrong, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

from remote_store.authoring import already_exists, cannot_delete_root, not_found
from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference import File, Tree, turn
from remote_store_conformance_selftest.reference_folders import ONLY_FOLDERS, FolderBackend
from remote_store_conformance_selftest.tree import parents


@mutant("FOLDER-001", "is a folder", without=ONLY_FOLDERS)
class MakesNothing(FolderBackend):
    """Folders come with the files in them, and making one is left to these."""

    def make(self, path: str, key: str) -> None:
        return


@mutant("FOLDER-001", "is not empty", without=ONLY_FOLDERS)
class LeavesAMarker(FolderBackend):
    """An empty file in the folder stands for it."""

    def make(self, path: str, key: str) -> None:
        super().make(path, key)
        self.tree.put(f"{key}/.keep", File(b"", datetime.now(UTC), self.tree.new_etag()))


@mutant("FOLDER-001", "is a folder", without=ONLY_FOLDERS)
class MakesAFile(FolderBackend):
    """An empty file of its name stands for the folder."""

    def make(self, path: str, key: str) -> None:
        self.tree.put(key, File(b"", datetime.now(UTC), self.tree.new_etag()))


@mutant("FOLDER-001", "after a file came and went", without=ONLY_FOLDERS)
class LosesItWithTheLastFile(FolderBackend):
    """The folder goes with the last file in it."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        await super().delete(path, missing_ok=missing_ok)
        above = self.key(path).rpartition("/")[0]
        if not self.below(above):
            self.tree.folders.discard(above)


@mutant("FOLDER-002", "AlreadyExists", without=ONLY_FOLDERS)
class RefusesWhatIsThere(FolderBackend):
    """A folder that is there already is an error."""

    def make(self, path: str, key: str) -> None:
        if key in self.tree.folders:
            raise already_exists(path, self.name)
        super().make(path, key)


@mutant("FOLDER-002", "something changed", without=ONLY_FOLDERS)
class BeginsAnew(FolderBackend):
    """A folder that is there already is replaced by an empty one."""

    def make(self, path: str, key: str) -> None:
        for file in self.below(key):
            del self.tree.files[file]
        super().make(path, key)


@mutant("FOLDER-003", "nothing was raised", without=ONLY_FOLDERS)
class TakesAFileForAFolder(FolderBackend):
    """What is there already is left, whatever it is."""

    def make(self, path: str, key: str) -> None:
        if key not in self.tree.files:
            super().make(path, key)


@mutant("FOLDER-003", "is no file any more", without=ONLY_FOLDERS)
class ReplacesTheFile(FolderBackend):
    """A file in the way is removed before it is refused."""

    def make(self, path: str, key: str) -> None:
        try:
            super().make(path, key)
        finally:
            self.tree.files.pop(key, None)


@mutant("FOLDER-003", "nothing was raised", without=ONLY_FOLDERS)
class LooksAtTheNameAlone(FolderBackend):
    """A file above the folder is not looked for."""

    def make(self, path: str, key: str) -> None:
        if not any(parent in self.tree.files for parent in parents(key)):
            super().make(path, key)


@mutant("FOLDER-004", "NotFound", without=ONLY_FOLDERS)
class NeedsTheParent(FolderBackend):
    """A folder is made in one that is there only."""

    def make(self, path: str, key: str) -> None:
        if not self.tree.is_folder(key.rpartition("/")[0]):
            raise not_found(path, self.name)
        super().make(path, key)


@mutant("FOLDER-004", "above one that was made", without=ONLY_FOLDERS)
class ForgetsTheParents(FolderBackend):
    """The folders above are left out."""

    def make(self, path: str, key: str) -> None:
        before = set(self.tree.folders)
        super().make(path, key)
        self.tree.folders.intersection_update({*before, key})


@mutant("FOLDER-005", "not all succeeded", without=ONLY_FOLDERS)
class LooksAndThenMakes(FolderBackend):
    """Whether it is there is looked at first, and decided afterwards."""

    async def create_folder(self, path: str) -> None:
        if not await self.is_folder(path):
            await turn()
            with self.tree.lock:
                appeared = self.tree.is_folder(self.key(path))
            if appeared:
                raise already_exists(path, self.name)
        await super().create_folder(path)


@mutant("FOLDER-006", "path must not be empty", without=ONLY_FOLDERS)
class RefusesTheRoot(FolderBackend):
    """The root is no path of a folder that could be made."""

    def make(self, path: str, key: str) -> None:
        if not key:
            raise cannot_delete_root(path, self.name)
        super().make(path, key)


@mutant("FOLDER-007", "another client does not see", without=ONLY_FOLDERS)
class KeepsThemToItself(FolderBackend):
    """A folder is there for its maker, and for nobody else."""

    def __init__(self, tree: Tree | None = None, *args: object) -> None:
        super().__init__(tree, *args)  # type: ignore[arg-type]
        self.own: set[str] = set()

    def make(self, path: str, key: str) -> None:
        before = set(self.tree.folders)
        super().make(path, key)
        self.own |= self.tree.folders - before
        self.tree.folders.intersection_update(before)

    async def is_folder(self, path: str) -> bool:
        return self.key(path) in self.own or await super().is_folder(path)
