"""How a tree changes: planned by what is there, made in one step."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import repeat, starmap
from operator import call, ior, setitem
from typing import Final

from remote_store.authoring import (
    cannot_delete_root,
    file_key,
    folder_key,
    folder_not_empty,
    key_text,
)
from remote_store_memory._changes import NOTHING, Plan
from remote_store_memory._nodes import Files, Folder, Folders, Version
from remote_store_memory._tree import LONGEST, Tree, is_ordinary

__all__ = ["MutableTree"]

#: Calls a function for each of many arguments, itself in one call (into C).
_exhaust: Final = deque[object](maxlen=0).extend


class MutableTree(Tree):
    """
    A tree that can be written to.

    The three changes of single files try the usual case on their own: folders
    that are there, and that no listing holds on to. They do as `_make` does,
    but once, and plan less. What they cannot do, or somebody came between,
    is left to `_make` and the methods that draw a plan.
    """

    def put(
        self, key: str, content: bytes, overwrite: bool, metadata: dict[str, str] | None
    ) -> tuple[str, Version]:
        """
        Store a file, together with the folders above it.

        Args:
            key: Key of the file.
            content: Its bytes, kept as they are.
            overwrite: Replace an existing file; False refuses it.
            metadata: User metadata, kept as it is.

        Returns:
            The key in normal form, and the new version.

        Raises:
            InvalidPath: *key* is the root, malformed, reserved or a folder,
                or lies under a file.
            AlreadyExists: A file is there and *overwrite* is False.
            TypeError: *key* is not a str.
        """
        if type(key) is not str:
            key = key_text(key)
        above, _, name = key.rpartition("/")
        # As `_make` does it, once and for the usual case: a folder that is there.
        with self._lock:
            self._plan.clear()
            plan = self._plan = []
            version: Version = (content, datetime.now(UTC), self._count())
            if metadata:
                version = (*version, metadata)
            home = self._homes.get(above)
            if home is not None and home.moment is None:
                old = home.files.get(key)
                if overwrite if old is not None else _is_free(home, key, name):
                    plan.append((home.files, key, version))
                    if self._plan is plan and next(starmap(setitem, plan), plan) is None:
                        return key, version
        key = self._target(key)
        return key, self._make(self._put, key, content, overwrite, metadata)

    def delete(self, key: str, missing_ok: bool) -> None:
        """
        Delete a file; its folder stays.

        Args:
            key: Key of the file.
            missing_ok: Do nothing when it is missing.

        Raises:
            NotFound: Nothing is there, or the key runs through a file, and
                *missing_ok* is False.
            InvalidPath: *key* is the root, a folder or malformed.
            TypeError: *key* is not a str.
        """
        if type(key) is not str:
            key = key_text(key)
        above = key.rpartition("/")[0]
        with self._lock:
            self._plan.clear()
            plan = self._plan = [key]
            home = self._homes.get(above)
            if (
                home is not None
                and home.moment is None
                and key in home.files
                and (_dropped := next(map(home.files.pop, plan), None))
            ):
                return
        self._make(self._delete, key, missing_ok)

    def delete_folder(self, key: str, *, recursive: bool, missing_ok: bool) -> None:
        """
        Delete a folder, and with *recursive* all that is below it, in one step.

        Args:
            key: Key of the folder.
            recursive: Delete its content too.
            missing_ok: Do nothing when it is missing.

        Raises:
            InvalidPath: *key* is the root, a file or malformed.
            NotFound: Nothing is there and *missing_ok* is False.
            DirectoryNotEmpty: It has children and *recursive* is False.
            TypeError: *key* is not a str.
        """
        # Given back at the end, and not with the lock held: it may be large.
        branch = _Branch()
        key = key if type(key) is str else key_text(key)
        self._make(self._delete_folder, key, recursive, missing_ok, branch)

    def transfer(self, src: str, dst: str, overwrite: bool, keep_source: bool) -> None:
        """
        Move or copy a file.

        A moved file stays the same version: time, ETag and metadata go with it.
        A copy is a new version with the same metadata.

        Args:
            src: Key of the file.
            dst: Its new key, or that of the copy; equal to *src* is a no-op.
            overwrite: Replace a file at *dst*; False refuses it.
            keep_source: Copy, and do not move.

        Raises:
            InvalidPath: *src* is a folder; *dst* is the root, reserved or a
                folder, or lies under a file; either is malformed.
            NotFound: Nothing is at *src*.
            AlreadyExists: A file is at *dst* and *overwrite* is False.
            TypeError: A key is not a str.
        """
        if type(src) is not str or type(dst) is not str:
            src, dst = key_text(src), key_text(dst)
        above, _, name = dst.rpartition("/")
        with self._lock:
            self._plan.clear()
            plan = self._plan = []
            home, goal = self._homes.get(src.rpartition("/")[0]), self._homes.get(above)
            if home is not None and goal is not None and home.moment is goal.moment is None:
                version, old = home.files.get(src), goal.files.get(dst)
                if version is not None and (
                    overwrite and src != dst if old is not None else _is_free(goal, dst, name)
                ):
                    if keep_source:
                        new: Version = (version[0], datetime.now(UTC), self._count())
                        if len(version) == 4:
                            new = (*new, version[3])
                        plan.append((goal.files, dst, new))
                        if self._plan is plan and next(starmap(setitem, plan), plan) is None:
                            return
                    else:
                        plan.append((setitem, goal.files, dst, version))
                        plan.append((home.files.pop, src))
                        # The second step returns the version, so there is one that is true.
                        if self._plan is plan and any(starmap(call, plan)):
                            return
        self._make(self._transfer, src, dst, overwrite, keep_source)

    # Drawing a plan ---------------------------------------------------------

    def _put(
        self,
        plan: Plan,
        key: str,
        content: bytes,
        overwrite: bool,
        metadata: dict[str, str] | None,
    ) -> Version:
        version = self._version(content, metadata)
        self._fill(plan, key, version, overwrite)
        return version

    def _transfer(self, plan: Plan, src: str, dst: str, overwrite: bool, keep_source: bool) -> None:
        source, target = file_key(src, self._backend, utf8=False), self._target(dst)
        home = self._home(source.rpartition("/")[0])
        version = home and home.files.get(source)
        if home is None or version is None:
            self._refuse_source(src, self._home(source))
        if source == target:
            plan.append(NOTHING)
        elif keep_source:
            new = self._version(version[0], version[3] if len(version) == 4 else None)
            self._fill(plan, target, new, overwrite)
        else:
            self._fill(plan, target, version, overwrite)
            plan.append((_own(plan, home)[0].pop, source))

    def _delete(self, plan: Plan, key: str, missing_ok: bool) -> None:
        normal = file_key(key, self._backend, utf8=False)
        home = self._home(normal.rpartition("/")[0])
        if home is not None and normal in home.files:
            plan.append((_own(plan, home)[0].pop, normal))
            return
        found = self._home(normal)
        if found is not None or not missing_ok:
            self._refuse_file(key, found)
        plan.append(NOTHING)

    def _delete_folder(
        self, plan: Plan, key: str, recursive: bool, missing_ok: bool, branch: _Branch
    ) -> None:
        normal = folder_key(key, self._backend, utf8=False)
        if not normal:
            raise cannot_delete_root(key, self._backend)
        found = self._look(normal)
        if not isinstance(found, Folder):
            if found is not None or not missing_ok:
                self._refuse_folder(key, found)
            plan.append(NOTHING)
            return
        if not recursive and (found.files or found.folders):
            raise folder_not_empty(key, self._backend)
        if branch.shape is not self._shape:
            branch.shape = self._shape
            branch.gather(found)
        above, _, name = normal.rpartition("/")
        home = self._home(above) or self._root
        plan.append((_own(plan, home)[1].pop, name))
        plan.append((_exhaust, map(self._homes.pop, branch.keys)))
        plan.append((_exhaust, map(setattr, branch.folders, repeat("gone"), repeat(True))))
        plan.append((setattr, self, "_shape", plan))

    def _version(self, content: bytes, metadata: dict[str, str] | None) -> Version:
        version = content, datetime.now(UTC), self._count()
        return (*version, metadata) if metadata else version

    def _fill(self, plan: Plan, key: str, version: Version, overwrite: bool) -> None:
        """Store a version at a key, together with the folders it needs."""
        home = self._vacancy(key, overwrite)
        if home is None:
            self._grow(plan, key, version)
            return
        files = home.files if home.moment is None else _own(plan, home)[0]
        if key in files:
            # Kept until the change is made, as what a step returns.
            plan.append((files.get, key))
        plan.append((setitem, files, key, version))

    def _grow(self, plan: Plan, key: str, version: Version) -> None:
        """Let a file appear together with the folders that are missing above it."""
        ground, names, depth = self._ground(key)
        if depth == len(names):
            return  # somebody came between, and the plan will not be used
        path = "/".join(names[:depth])
        homes: Folders = {}
        shoot = leaf = Folder()  # stands for the ground until the change
        for name in names[depth:]:
            above, leaf = leaf, Folder()
            above.folders[name] = leaf
            if len(path) <= LONGEST:
                path = f"{path}/{name}" if path else name
            if len(path) <= LONGEST:
                leaf.key = path
                homes[path] = leaf
        leaf.files[key] = version
        # Room first, for nothing: the dict of all folders must not be what runs
        # out of memory once the one above has the new folder.
        plan.append((ior, self._homes, dict.fromkeys(homes)))
        plan.append((setitem, _own(plan, ground)[1], *shoot.folders.popitem()))
        plan.append((ior, self._homes, homes))
        plan.append((setattr, self, "_shape", plan))


class _Branch:
    """A folder and all those below it, gathered once for as long as none comes or goes."""

    __slots__ = ("folders", "keys", "shape")

    def __init__(self) -> None:
        self.folders: list[Folder] = []
        self.keys: list[str] = []
        self.shape: object = None

    def gather(self, top: Folder) -> None:
        self.folders = [top]
        for folder in self.folders:
            self.folders += folder.folders.values()
        self.keys = [folder.key for folder in self.folders if folder.key is not None]


def _own(plan: Plan, folder: Folder) -> tuple[Files, Folders]:
    """Return the dicts to change for a change of *folder*: copies where a listing has its own."""
    held = folder.held()
    if held is None:
        plan.append((setattr, folder, "moment", None))
        return folder.files, folder.folders
    if held.spare is None:
        held.spare = held.files.copy(), held.folders.copy()
    files, folders = held.spare
    plan.append((setattr, folder, "files", files))
    plan.append((setattr, folder, "folders", folders))
    plan.append((setattr, folder, "moment", None))
    # With the moment in it, which has to live on for as long as the plan.
    plan.append((setattr, held, "spare", None))
    return files, folders


def _is_free(home: Folder, key: str, name: str) -> bool:
    """Tell whether a file may be called *name* in *home*, where no file is called so."""
    return name not in home.folders and is_ordinary(key, name)
