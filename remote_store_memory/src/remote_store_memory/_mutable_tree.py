"""How a tree changes: planned by what is there, made in one step."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import repeat, starmap
from operator import call, ior, setitem
from typing import Final

from remote_store import ContentHeaders
from remote_store.authoring import (
    cannot_delete_root,
    file_key,
    folder_key,
    folder_not_empty,
    is_a_file,
    key_text,
    target_key,
)
from remote_store_memory._atomic import NOTHING, Plan
from remote_store_memory._nodes import Files, FolderNode, Folders, Version
from remote_store_memory._tree import LONGEST, FolderTree, is_ordinary

__all__ = ["MutableTree"]

#: Calls a function for each of many arguments, itself in one call (into C).
_exhaust: Final = deque[object](maxlen=0).extend


class MutableTree(FolderTree):
    """
    A tree that can be written to.

    The three changes of single files try the usual case on their own: folders
    that are there, and that no listing holds on to. They do as `_make` does,
    but once, and plan less. What they cannot do, or were interrupted in,
    is left to `_make` and the methods that plan a change.
    """

    def put(
        self,
        key: str,
        content: bytes,
        overwrite: bool,
        metadata: dict[str, str] | None,
        if_match: str | None = None,
        headers: ContentHeaders | None = None,
    ) -> tuple[str, Version]:
        """
        Store a file, together with the folders above it.

        Args:
            key: Key of the file.
            content: Its bytes, kept as they are.
            overwrite: Replace an existing file; False refuses it.
            metadata: User metadata, kept as it is.
            if_match: ETag of the version to replace, whatever *overwrite* says.
            headers: Content headers, kept as they are.

        Returns:
            The key in normal form, and the new version.

        Raises:
            InvalidPath: *key* is the root, malformed, reserved or a folder,
                or lies under a file.
            AlreadyExists: A file is there and *overwrite* is False.
            PreconditionFailed: Another version is there than *if_match*, or none.
            TypeError: *key* is not a str.
        """
        if type(key) is not str:
            key = key_text(key)
        if if_match is not None:
            key = self._target(key)
            return key, self._make(self._replace, key, content, metadata, if_match, headers)
        above, _, name = key.rpartition("/")
        # As `_make` does it, once and for the usual case: a folder that is there.
        with self._lock:
            self._plan.clear()
            plan = self._plan = []
            version: Version = (content, datetime.now(UTC), self._count())
            if headers is not None:
                version = (*version, metadata or {}, headers)
            elif metadata:
                version = (*version, metadata)
            parent = self._by_key.get(above)
            if parent is not None and parent.snapshot is None:
                old = parent.files.get(key)
                if overwrite if old is not None else _is_free(parent, key, name):
                    plan.append((parent.files, key, version))
                    if self._plan is plan and next(starmap(setitem, plan), plan) is None:
                        return key, version
        key = self._target(key)
        return key, self._make(self._put, key, content, overwrite, metadata, headers)

    def delete(self, key: str, missing_ok: bool, if_match: str | None = None) -> None:
        """
        Delete a file; its folder stays.

        Args:
            key: Key of the file.
            missing_ok: Do nothing when it is missing.
            if_match: ETag of the version to delete.

        Raises:
            NotFound: Nothing is there, or the key runs through a file, and
                *missing_ok* is False.
            InvalidPath: *key* is the root, a folder or malformed.
            PreconditionFailed: Another version is there than *if_match*.
            TypeError: *key* is not a str.
        """
        if type(key) is not str:
            key = key_text(key)
        above = key.rpartition("/")[0]
        with self._lock:
            self._plan.clear()
            plan = self._plan = [key]
            parent = self._by_key.get(above)
            if (
                if_match is None
                and parent is not None
                and parent.snapshot is None
                and key in parent.files
                and (_dropped := next(map(parent.files.pop, plan), None))
            ):
                return
        self._make(self._delete, key, missing_ok, if_match)

    def create_folder(self, key: str) -> None:
        """
        Make a folder, together with those above it; one that is there stays as it is.

        Args:
            key: Key of the folder.

        Raises:
            InvalidPath: *key* is malformed or reserved; a file is there or above it.
            TypeError: *key* is not a str.
        """
        self._make(self._create_folder, key if type(key) is str else key_text(key))

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
        subtree = _Subtree()
        key = key if type(key) is str else key_text(key)
        self._make(self._delete_folder, key, recursive, missing_ok, subtree)

    def transfer(
        self,
        src: str,
        dst: str,
        overwrite: bool,
        keep_source: bool,
        if_match: str | None = None,
    ) -> None:
        """
        Move or copy a file.

        A moved file stays the same version: time, ETag and metadata go with it.
        A copy is a new version with the same metadata.

        Args:
            src: Key of the file.
            dst: Its new key, or that of the copy; equal to *src* is a no-op.
            overwrite: Replace a file at *dst*; False refuses it.
            keep_source: Copy, and do not move.
            if_match: ETag of the version of *src*.

        Raises:
            InvalidPath: *src* is a folder; *dst* is the root, reserved or a
                folder, or lies under a file; either is malformed.
            NotFound: Nothing is at *src*.
            AlreadyExists: A file is at *dst* and *overwrite* is False.
            PreconditionFailed: Another version is at *src* than *if_match*.
            TypeError: A key is not a str.
        """
        if type(src) is not str or type(dst) is not str:
            src, dst = key_text(src), key_text(dst)
        above, _, name = dst.rpartition("/")
        with self._lock:
            self._plan.clear()
            plan = self._plan = []
            parent, target = self._by_key.get(src.rpartition("/")[0]), self._by_key.get(above)
            if (
                if_match is None
                and parent is not None
                and target is not None
                and parent.snapshot is target.snapshot is None
            ):
                version, old = parent.files.get(src), target.files.get(dst)
                if version is not None and (
                    overwrite and src != dst if old is not None else _is_free(target, dst, name)
                ):
                    if keep_source:
                        new = self._anew(version)
                        plan.append((target.files, dst, new))
                        if self._plan is plan and next(starmap(setitem, plan), plan) is None:
                            return
                    else:
                        plan.append((setitem, target.files, dst, version))
                        plan.append((parent.files.pop, src))
                        # The second step returns the version, so there is one that is true.
                        if self._plan is plan and any(starmap(call, plan)):
                            return
        self._make(self._transfer, src, dst, overwrite, keep_source, if_match)

    # Planning a change ---------------------------------------------------------

    def _put(
        self,
        plan: Plan,
        key: str,
        content: bytes,
        overwrite: bool,
        metadata: dict[str, str] | None,
        headers: ContentHeaders | None,
    ) -> Version:
        version = self._version(content, metadata, headers)
        self._store(plan, key, version, overwrite)
        return version

    def _replace(
        self,
        plan: Plan,
        key: str,
        content: bytes,
        metadata: dict[str, str] | None,
        if_match: str,
        headers: ContentHeaders | None,
    ) -> Version:
        self.check_match(key, if_match)
        return self._put(plan, key, content, True, metadata, headers)

    def _transfer(
        self,
        plan: Plan,
        src: str,
        dst: str,
        overwrite: bool,
        keep_source: bool,
        if_match: str | None,
    ) -> None:
        source, target = file_key(src, self._backend, utf8=False), self._target(dst)
        parent = self._folder_at(source.rpartition("/")[0])
        version = parent and parent.files.get(source)
        if parent is None or version is None:
            self._refuse_source(src, self._folder_at(source))
        if if_match is not None:
            self.check_match(source, if_match)
        if source == target:
            plan.append(NOTHING)
        elif keep_source:
            self._store(plan, target, self._anew(version), overwrite)
        else:
            self._store(plan, target, version, overwrite)
            plan.append((_writable(plan, parent)[0].pop, source))

    def _delete(self, plan: Plan, key: str, missing_ok: bool, if_match: str | None) -> None:
        normal = file_key(key, self._backend, utf8=False)
        parent = self._folder_at(normal.rpartition("/")[0])
        if parent is not None and normal in parent.files:
            if if_match is not None:
                self.check_match(normal, if_match)
            plan.append((_writable(plan, parent)[0].pop, normal))
            return
        found = self._folder_at(normal)
        if found is not None or not missing_ok:
            self._refuse_file(key, found)
        plan.append(NOTHING)

    def _create_folder(self, plan: Plan, key: str) -> None:
        normal = folder_key(key, self._backend, utf8=False)
        found = self._find(normal)
        if isinstance(found, FolderNode):
            plan.append(NOTHING)
            return
        normal = target_key(normal, self._backend, utf8=False)
        if found is not None:
            raise is_a_file(key, self._backend)
        self._add_folders(plan, normal, normal.split("/"), None)

    def _delete_folder(
        self, plan: Plan, key: str, recursive: bool, missing_ok: bool, subtree: _Subtree
    ) -> None:
        normal = folder_key(key, self._backend, utf8=False)
        if not normal:
            raise cannot_delete_root(key, self._backend)
        found = self._find(normal)
        if not isinstance(found, FolderNode):
            if found is not None or not missing_ok:
                self._refuse_folder(key, found)
            plan.append(NOTHING)
            return
        if not recursive and (found.files or found.folders):
            raise folder_not_empty(key, self._backend)
        if subtree.structure is not self._structure:
            subtree.structure = self._structure
            subtree.gather(found)
        above, _, name = normal.rpartition("/")
        parent = self._folder_at(above) or self._root
        plan.append((_writable(plan, parent)[1].pop, name))
        plan.append((_exhaust, map(self._by_key.pop, subtree.keys)))
        plan.append((_exhaust, map(setattr, subtree.folders, repeat("gone"), repeat(True))))
        plan.append((setattr, self, "_structure", plan))

    def _version(
        self, content: bytes, metadata: dict[str, str] | None, headers: ContentHeaders | None
    ) -> Version:
        version = content, datetime.now(UTC), self._count()
        if headers is not None:
            return (*version, metadata or {}, headers)
        return (*version, metadata) if metadata else version

    def _anew(self, version: Version) -> Version:
        """Return a version with the content of another, and all that goes with it."""
        new = version[0], datetime.now(UTC), self._count()
        if len(version) == 5:
            return (*new, version[3], version[4])
        return (*new, version[3]) if len(version) == 4 else new

    def _store(self, plan: Plan, key: str, version: Version, overwrite: bool) -> None:
        """Store a version at a key, together with the folders it needs."""
        parent = self._parent_for(key, overwrite)
        if parent is None:
            self._add_folders(plan, key, key.split("/")[:-1], version)
            return
        files = parent.files if parent.snapshot is None else _writable(plan, parent)[0]
        if key in files:
            # Kept until the change is made, as what a step returns.
            plan.append((files.get, key))
        plan.append((setitem, files, key, version))

    def _add_folders(self, plan: Plan, key: str, names: list[str], version: Version | None) -> None:
        """Let the folders that *names* lead to appear in one step, with a file or without."""
        deepest, depth = self._deepest_folder(key, names)
        if depth == len(names):
            return  # another change came between, and the plan will not be used
        path = "/".join(names[:depth])
        by_key: Folders = {}
        top = leaf = FolderNode()  # stands for the deepest folder until the change
        for name in names[depth:]:
            above, leaf = leaf, FolderNode()
            above.folders[name] = leaf
            if len(path) <= LONGEST:
                path = f"{path}/{name}" if path else name
            if len(path) <= LONGEST:
                leaf.key = path
                by_key[path] = leaf
        if version is not None:
            leaf.files[key] = version
        # Room first, for nothing: the dict of all folders must not be what runs
        # out of memory once the one above has the new folder.
        plan.append((ior, self._by_key, dict.fromkeys(by_key)))
        plan.append((setitem, _writable(plan, deepest)[1], *top.folders.popitem()))
        plan.append((ior, self._by_key, by_key))
        plan.append((setattr, self, "_structure", plan))


class _Subtree:
    """A folder and all those below it, gathered once for as long as none comes or goes."""

    __slots__ = ("folders", "keys", "structure")

    def __init__(self) -> None:
        self.folders: list[FolderNode] = []
        self.keys: list[str] = []
        self.structure: object = None

    def gather(self, top: FolderNode) -> None:
        self.folders = [top]
        for folder in self.folders:
            self.folders += folder.folders.values()
        self.keys = [folder.key for folder in self.folders if folder.key is not None]


def _writable(plan: Plan, folder: FolderNode) -> tuple[Files, Folders]:
    """Return the dicts to change for a change of *folder*: copies where a listing has its own."""
    held = folder.held()
    if held is None:
        plan.append((setattr, folder, "snapshot", None))
        return folder.files, folder.folders
    if held.copies is None:
        held.copies = held.files.copy(), held.folders.copy()
    files, folders = held.copies
    plan.append((setattr, folder, "files", files))
    plan.append((setattr, folder, "folders", folders))
    plan.append((setattr, folder, "snapshot", None))
    # With the moment in it, which has to live on for as long as the plan.
    plan.append((setattr, held, "copies", None))
    return files, folders


def _is_free(parent: FolderNode, key: str, name: str) -> bool:
    """Return True if a file may be called *name* in *parent*, where no file is called so."""
    return name not in parent.folders and is_ordinary(key, name)
