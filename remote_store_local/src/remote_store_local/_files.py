"""
Every operation on local files, blocking and free of asyncio.

The async backend runs each of these in one hop to a thread; a sync backend
can call them as they are. Keys are checked by `check_key`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Mapping
from typing import Final, Literal

from attrs import frozen

from remote_store import (
    CapabilityNotSupported,
    DirectoryNotEmpty,
    FileInfo,
    FolderEntry,
    FolderInfo,
    GlobPattern,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemotePath,
    WriteResult,
)
from remote_store_local._attributes import (
    decode_metadata,
    encode_metadata,
    etag_of,
    keeps_attributes,
    modified_at,
    read_attributes,
)
from remote_store_local._confine import Place, Tree, best_method
from remote_store_local._errors import mapped, translate
from remote_store_local._lease import Source
from remote_store_local._names import RESERVED, check_key, is_reserved
from remote_store_local._publish import (
    Draft,
    never_stop,
    open_target,
    refuse_kind,
    remove_made,
    rename_exclusive,
    renames_exclusively,
    taken_by,
)
from remote_store_local._remove import remove_tree
from remote_store_local._sweep import sweep_folder, sweep_tree
from remote_store_local._walk import Walk, tally

__all__ = ["Fsync", "LocalFiles", "Write"]

Fsync = Literal["always", "atomic", "never"]
Kind = Literal["file", "folder"]

#: How often an operation starts over because a folder vanished under it.
_TRIES: Final = 20


@frozen
class Write:
    """
    What a write is to do, beside the bytes.

    Args:
        overwrite: Whether an existing file may be replaced.
        atomic: Whether it is a ``write_atomic``, for the fsync policy.
        metadata: User metadata.
    """

    overwrite: bool
    atomic: bool
    metadata: Mapping[str, str] | None


class LocalFiles:
    """
    The files below one root.

    Args:
        root: Absolute path of the root; it exists.
        name: Name of the backend, for errors.
        fsync: When a published file is brought to the disk.
    """

    def __init__(self, root: str, name: str, fsync: Fsync) -> None:
        self.name = name
        self.tree = Tree(root, name, best_method())
        self._fsync = fsync
        self.keeps_metadata = keeps_attributes(root)
        self.moves_atomically = self._probe_exclusive_rename()

    def _probe_exclusive_rename(self) -> bool:
        try:
            with self.tree.open_folder("") as root:
                return renames_exclusively(root)
        except OSError:
            return False  # where nothing can be written, nothing can be promised

    # Questions -------------------------------------------------------------

    def _key(self, key: str) -> str:
        return check_key(key, self.name)

    def _file_key(self, key: str) -> str:
        checked = check_key(key, self.name)
        if not checked:
            msg = f"path must not be empty, the root is a folder: {key!r}"
            raise InvalidPath(msg, path=key, backend=self.name)
        return checked

    def target_key(self, key: str) -> str:
        """
        Check the key of a file that is to be written.

        Raises:
            InvalidPath: It is malformed, the root, or reserved.
        """
        checked = self._file_key(key)
        if is_reserved(checked):
            msg = f"names that start with {RESERVED!r} are reserved for temporary files: {key!r}"
            raise InvalidPath(msg, path=key, backend=self.name)
        return checked

    def _missing(self, key: str) -> NotFound:
        msg = f"File or folder not found: {key!r}"
        return NotFound(msg, path=key, backend=self.name)

    def _folder_instead(self, key: str) -> InvalidPath:
        msg = f"Path exists as a directory, not as a file: {key!r}"
        return InvalidPath(msg, path=key, backend=self.name)

    def _kind_of(self, key: str, place: Place) -> Kind | None:
        if place.found is None:
            return None
        mode = place.found.st_mode
        if stat.S_ISREG(mode):
            return "file"
        if stat.S_ISDIR(mode):
            return "folder"
        msg = f"Path is a special file, neither file nor folder: {key!r}"
        raise InvalidPath(msg, path=key, backend=self.name)

    @mapped
    def kind(self, key: str) -> Kind | None:
        """Return what is at *key*, None for nothing."""
        key = self._key(key)
        if is_reserved(key):
            return None
        try:
            with self.tree.locate(key) as place:
                return self._kind_of(key, place)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _locate_file(self, key: str) -> Place:
        """Find an existing file."""
        key = self._file_key(key)
        if is_reserved(key):
            raise self._missing(key)
        place = self.tree.locate(key)
        try:
            kind = self._kind_of(key, place)
            if kind is None:
                raise self._missing(key) from place.absence
            if kind == "folder":
                raise self._folder_instead(key)
        except BaseException:
            place.folder.close()
            raise
        return place

    def _open_file(self, key: str) -> tuple[int, os.stat_result]:
        """Open an existing file for reading; the descriptor stands for one version of it."""
        for _ in range(_TRIES):
            with self._locate_file(key) as place:
                try:
                    fd = place.folder.open(place.name)
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
                    continue  # swapped for a link since it was looked at
            try:
                found = os.fstat(fd)
            except BaseException:
                os.close(fd)
                raise
            if stat.S_ISREG(found.st_mode):
                return fd, found
            os.close(fd)  # swapped for something else
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), key)

    @mapped
    def info(self, key: str) -> FileInfo:
        """Return size, time, ETag and metadata of a file."""
        fd, found = self._open_file(key)
        try:
            generation, metadata = read_attributes(fd) if self.keeps_metadata else (None, b"")
        finally:
            os.close(fd)
        path = RemotePath(key)
        return FileInfo(
            path,
            path.name,
            found.st_size,
            modified_at(found),
            etag=etag_of(generation, found),
            metadata=decode_metadata(metadata, key, self.name),
        )

    @mapped
    def folder_info(self, key: str, stopped: Callable[[], bool]) -> FolderInfo:
        """Add up the files below a folder."""
        kind = self.kind(key)
        if kind is None:
            raise self._missing(key)
        if kind == "file":
            msg = f"Not a folder but a file: {key!r}"
            raise InvalidPath(msg, path=key, backend=self.name)
        return tally(self.tree, self._key(key), stopped)

    # Reading ---------------------------------------------------------------

    @mapped
    def read_bytes(self, key: str) -> bytes:
        """Return the content of a file."""
        fd, found = self._open_file(key)
        try:
            size = found.st_size
            # One byte more than expected tells the end without another call.
            data = os.read(fd, size + 1)
            if len(data) != size:
                data = _drain(fd, data)
        finally:
            os.close(fd)
        if len(data) < size:
            raise self.shrunk(key, len(data), size)
        return data

    def shrunk(self, key: str, got: int, size: int) -> PreconditionFailed:
        """Return the error for a file that another program cut short meanwhile."""
        msg = f"File shrank from {size} to {got} bytes while it was being read: {key!r}"
        return PreconditionFailed(msg, path=key, backend=self.name)

    @mapped
    def open_source(self, key: str, source: Source, chunk: int) -> bytes:
        """Open a file for reading in steps; return the first chunk."""
        return source.start(lambda: self._open_file(key), chunk)

    # Writing ---------------------------------------------------------------

    def _encoded(self, key: str, write: Write) -> bytes:
        if write.metadata and not self.keeps_metadata:
            msg = "the file system keeps no extended attributes, and so no user metadata"
            raise CapabilityNotSupported(
                msg, path=key, backend=self.name, capability="user_metadata"
            )
        return encode_metadata(write.metadata)

    @mapped
    def draft(self, key: str, write: Write) -> Draft:
        """Begin to write a file: everything is checked, nothing is visible yet."""
        key = self.target_key(key)
        self._encoded(key, write)
        return self._draft(key, write)

    @mapped
    def _draft(self, key: str, write: Write, mode: int | None = None) -> Draft:
        sync = self._fsync == "always" or (self._fsync == "atomic" and write.atomic)
        return Draft(
            self.tree,
            key,
            overwrite=write.overwrite,
            sync=sync,
            atomic=self.moves_atomically,
            mode=mode,
        )

    @mapped
    def finish(
        self,
        key: str,
        draft: Draft,
        rest: bytes,
        write: Write,
        stopped: Callable[[], bool] = never_stop,
    ) -> WriteResult:
        """Write the last bytes of a draft and publish it."""
        if rest:
            draft.write(rest, stopped)
        metadata = self._encoded(key, write)
        found, generation = draft.commit(metadata, mark=self.keeps_metadata)
        return WriteResult(
            RemotePath(key),
            draft.written,
            "native",
            etag=etag_of(generation, found),
            last_modified=modified_at(found),
            metadata=None if write.metadata is None else dict(write.metadata),
        )

    @mapped
    def write(
        self, key: str, data: bytes, write: Write, stopped: Callable[[], bool]
    ) -> WriteResult:
        """Write a file whose content is at hand."""
        left = _TRIES
        while True:
            draft = self.draft(key, write)
            try:
                return self.finish(key, draft, data, write, stopped)
            except PreconditionFailed:  # its folder was deleted: the write comes afterwards
                left -= 1
                if not left:
                    raise
            finally:
                draft.discard()

    # Deleting --------------------------------------------------------------

    @mapped
    def delete(self, key: str, missing_ok: bool) -> None:
        """Remove a file; of a link the link, never what it leads to."""
        try:
            with self._locate_file(key) as place:
                if not place.followed:
                    place.folder.unlink(place.name)
                    return
            with self.tree.locate(key, follow=False) as place:
                place.folder.unlink(place.name)
        except (FileNotFoundError, NotADirectoryError) as error:
            if missing_ok:
                return
            if isinstance(error, NotFound):
                raise
            raise self._missing(key) from error

    @mapped
    def delete_folder(
        self, key: str, recursive: bool, missing_ok: bool, stopped: Callable[[], bool]
    ) -> None:
        """Remove a folder; of a link the link, never what it leads to."""
        key = self._key(key)
        if not key:
            msg = "Cannot delete the root: path must not be empty"
            raise InvalidPath(msg, path=key, backend=self.name)
        try:
            if is_reserved(key):
                raise self._missing(key)
            with self.tree.locate(key) as place:
                self._delete_folder(key, place, recursive, stopped)
        except (FileNotFoundError, NotADirectoryError) as error:
            if missing_ok:
                return
            if isinstance(error, NotFound):
                raise
            raise self._missing(key) from error

    def _delete_folder(
        self, key: str, place: Place, recursive: bool, stopped: Callable[[], bool]
    ) -> None:
        kind = self._kind_of(key, place)
        if kind is None:
            raise self._missing(key) from place.absence
        if kind == "file":
            msg = f"Not a folder but a file: {key!r}"
            raise InvalidPath(msg, path=key, backend=self.name)
        if place.followed:
            if not recursive:
                self._refuse_children(key)
            with self.tree.locate(key, follow=False) as link:
                link.folder.unlink(link.name)
        elif recursive:
            remove_tree(place.folder, place.name, stopped)
        else:
            try:
                place.folder.rmdir(place.name)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                self._retry_rmdir(key, place, error)

    def _refuse_children(self, key: str) -> None:
        with self.tree.open_folder(key, listing=True) as folder:
            if os.listdir(folder.handle):
                msg = f"Folder is not empty: {key!r}"
                raise DirectoryNotEmpty(msg, path=key, backend=self.name)

    def _retry_rmdir(self, key: str, place: Place, error: OSError) -> None:
        """Remove litter of dead writers, and say so if it is a living one's file that is left."""
        with place.folder.enter(place.name, listing=True) as folder:
            names = os.listdir(folder.handle)
            if not all(name.startswith(RESERVED) for name in names):
                msg = f"Folder is not empty: {key!r}"
                raise DirectoryNotEmpty(msg, path=key, backend=self.name) from error
            sweep_folder(folder)
        try:
            place.folder.rmdir(place.name)
        except OSError as again:
            if again.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            msg = (
                f"Folder is not empty, it holds temporary files of writes that are running or "
                f"were killed in the last 24 hours; wait, or delete recursively: {key!r}"
            )
            raise DirectoryNotEmpty(msg, path=key, backend=self.name) from again

    # Moving and copying ----------------------------------------------------

    @mapped
    def move(self, key: str, dst: str, overwrite: bool) -> None:
        """Rename a file; a link is followed, and left behind dangling."""
        self._file_key(key)
        target = self.target_key(dst)
        for left in range(_TRIES - 1, -1, -1):
            with self._locate_file(key) as source:
                made: list[str] = []
                try:
                    with self._target(target, made) as place:
                        if _same_place(source, place):
                            return
                        refuse_kind(self.tree, dst, place, overwrite=overwrite)
                        self._rename(dst, source, place, overwrite)
                        self._sync_rename(source, place, made)
                    return
                except FileNotFoundError as error:
                    remove_made(self.tree, made)
                    if isinstance(error, NotFound) or not left:
                        raise
                except BaseException:
                    remove_made(self.tree, made)
                    raise

    @mapped
    def _target(self, dst: str, made: list[str]) -> Place:
        return open_target(self.tree, dst, made)

    def _rename(self, dst: str, source: Place, place: Place, overwrite: bool) -> None:
        if not overwrite:
            try:
                rename_exclusive(
                    source.folder,
                    source.name,
                    place.folder,
                    place.name,
                    atomic=self.moves_atomically,
                )
            except FileExistsError as error:
                taken_by(self.tree, dst, place.folder, place.name, error)
        elif _is_second_link(source, place):
            # The system takes two links to one file for one name, and would keep both.
            source.folder.unlink(source.name)
        else:
            try:
                os.replace(
                    source.folder.at(source.name),
                    place.folder.at(place.name),
                    src_dir_fd=source.folder.fd,
                    dst_dir_fd=place.folder.fd,
                )
            except IsADirectoryError as error:
                taken_by(self.tree, dst, place.folder, place.name, error)

    def _sync_rename(self, source: Place, place: Place, made: list[str]) -> None:
        if self._fsync == "always":
            place.folder.sync()
            source.folder.sync()
            for key in made:
                with self.tree.open_folder(key.rpartition("/")[0]) as above:
                    above.sync()

    @mapped
    def copy(self, key: str, dst: str, overwrite: bool, stopped: Callable[[], bool]) -> None:
        """Copy a file with its metadata, modification time and permissions."""
        self._file_key(key)
        self.target_key(dst)
        write = Write(overwrite=overwrite, atomic=False, metadata=None)
        fd, found = self._open_file(key)
        try:
            if self._is_same_file(key, dst):
                return
            metadata = read_attributes(fd)[1] if self.keeps_metadata else b""
            for left in range(_TRIES - 1, -1, -1):
                draft = self._draft(dst, write, found.st_mode)
                try:
                    os.lseek(fd, 0, os.SEEK_SET)
                    _pump(fd, draft, stopped)
                    draft.commit(
                        metadata,
                        mark=self.keeps_metadata,
                        times=(found.st_atime_ns, found.st_mtime_ns),
                    )
                    return
                except PreconditionFailed:  # the folder was deleted: the copy comes afterwards
                    if not left:
                        raise
                finally:
                    draft.discard()
        finally:
            os.close(fd)

    def _is_same_file(self, key: str, dst: str) -> bool:
        try:
            with self.tree.locate(key) as source, self.tree.locate(dst) as place:
                return _same_place(source, place)
        except (FileNotFoundError, NotADirectoryError):
            return False

    # Listing ---------------------------------------------------------------

    def walk(
        self, key: str, *, depth: int | None, files: bool, folders: bool
    ) -> Generator[FileInfo | FolderEntry, None, None]:
        """Yield what is in a folder, and down to *depth* folders below it."""
        key = self._key(key)
        if is_reserved(key):
            return
        walk = Walk(self.tree, key, depth=depth, files=files, folders=folders)
        yield from self._mapped_walk(key, walk)

    def glob(self, pattern: str) -> Generator[FileInfo, None, None]:
        """Yield the files whose key matches; folders that cannot hold one are not opened."""
        glob = GlobPattern.parse(pattern)
        key = self._key(glob.prefix)
        if is_reserved(key):
            return
        walk = Walk(self.tree, key, depth=glob.depth, enters=glob.may_contain)
        for item in self._mapped_walk(key, walk):
            if isinstance(item, FileInfo) and glob.matches(item.path.as_posix()):
                yield item

    def _mapped_walk(self, key: str, walk: Walk) -> Generator[FileInfo | FolderEntry, None, None]:
        try:
            yield from walk.entries()
        except InvalidPath:
            raise
        except OSError as error:
            raise translate(error, key, self.name) from error

    # The root --------------------------------------------------------------

    @mapped
    def check(self, key: str = "") -> None:
        """
        Prove that the root can be used.

        Raises:
            NotFound: It is missing.
            InvalidPath: It is a file.
            PermissionDenied: It cannot be listed.
        """
        root = self.tree.root
        try:
            with os.scandir(root) as entries:
                next(entries, None)
        except FileNotFoundError as error:
            msg = f"Root folder not found: {root!r}"
            raise NotFound(msg, path=key, backend=self.name) from error
        except NotADirectoryError as error:
            msg = f"Root is not a folder: {root!r}"
            raise InvalidPath(msg, path=key, backend=self.name) from error

    @mapped
    def sweep(self, key: str, stopped: Callable[[], bool]) -> int:
        """Remove stale temporary files below *key*."""
        return sweep_tree(self.tree, self._key(key), stopped)


def _drain(fd: int, data: bytes) -> bytes:
    parts = [data]
    while part := os.read(fd, 1 << 26):
        parts.append(part)
    return b"".join(parts)


def _pump(fd: int, draft: Draft, stopped: Callable[[], bool]) -> None:
    while data := os.read(fd, 1 << 20):
        draft.write(data, stopped)


def _same_place(source: Place, place: Place) -> bool:
    return source.name == place.name and _same_folder(source, place)


def _same_folder(source: Place, place: Place) -> bool:
    if source.folder.fd is None or place.folder.fd is None:
        return source.folder.prefix == place.folder.prefix
    return os.path.sameopenfile(source.folder.fd, place.folder.fd)


def _is_second_link(source: Place, place: Place) -> bool:
    one, other = source.found, place.found
    if one is None or other is None or one.st_nlink < 2 or not os.path.samestat(one, other):
        return False
    # Where case is ignored, the same name in other letters is no second link.
    return source.name.casefold() != place.name.casefold() or not _same_folder(source, place)
