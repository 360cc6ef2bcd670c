"""
How a file comes into being: whole, or not at all.

A `Draft` is a temporary file in the target's own folder. It is created
exclusively, locked while its writer lives (so that a sweep can tell it from
litter), and given the target's name in one step when it is complete. Whatever
happens before that step leaves the target untouched.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from remote_store import PreconditionFailed
from remote_store_local._attributes import write_attributes
from remote_store_local._confine import Folder, Place, Tree
from remote_store_local._durable import in_place_but, names_synced
from remote_store_local._names import RESERVED
from remote_store_local._syscalls import renameat2
from remote_store_local._target import TRIES, open_target, refuse_kind, remove_made, taken_by

try:
    import fcntl
except ImportError:  # Windows keeps an open file from being removed by itself
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "Draft",
    "Stopped",
    "abandon",
    "fcntl",
    "lock",
    "never_stop",
    "rename_exclusive",
    "renames_exclusively",
]

_log = logging.getLogger("remote_store_local")

#: Bytes for each write call; between two of them a cancelled operation ends.
STEP: Final = 8 << 20
#: False where the system does not rename files that are open.
_RENAMES_OPEN_FILES: Final = os.name != "nt"
_CANNOT: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


class Stopped(Exception):
    """Raised in the worker thread when the operation's caller was cancelled."""


def never_stop() -> bool:
    """Say that nobody was cancelled."""
    return False


def lock(fd: int) -> bool:
    """
    Take the lock that living writers hold on their temporary files; never wait.

    Returns:
        False if somebody else has it, or no lock can be had here.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def rename_exclusive(source: Folder, src: str, target: Folder, dst: str, *, atomic: bool) -> bool:
    """
    Give a file another name that nobody has: one of several callers succeeds.

    Args:
        source: Folder of the file.
        src: Its name.
        target: Folder of the new name.
        dst: The new name.
        atomic: Whether the file system renames without replacing. If not, a
            second link is made.

    Returns:
        True if a link was made: removing *src* is left to the caller.

    Raises:
        OSError: EEXIST: something is at *dst*.
    """
    if atomic and source.fd is not None and target.fd is not None:
        try:
            renameat2(source.fd, src, target.fd, dst)
        except OSError as error:
            # Another file system mounted below the root may not have it.
            if error.errno not in _CANNOT:
                raise
        else:
            return False
    if not _RENAMES_OPEN_FILES:
        os.rename(source.at(src), target.at(dst))  # refuses to replace, on Windows
        return False
    os.link(
        source.at(src),
        target.at(dst),
        src_dir_fd=source.fd,
        dst_dir_fd=target.fd,
        follow_symlinks=False,
    )
    return True


def renames_exclusively(folder: Folder) -> bool:
    """
    Try on a temporary file whether the file system renames without replacing.

    Raises:
        OSError: It could not be tried.
    """
    if folder.fd is None:
        return False
    name = RESERVED + os.urandom(16).hex()
    os.close(folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    try:
        renameat2(folder.fd, name, folder.fd, name + "r")
        name += "r"
    except OSError as error:
        # Some sandboxes refuse system calls that they do not know with EPERM.
        if error.errno not in _CANNOT and error.errno != errno.EPERM:
            raise
        return False
    finally:
        folder.unlink(name)
    return True


def _for_any_group(like: os.stat_result) -> int:
    """Return a file's permissions, for its group only those that all others have as well."""
    mode = like.st_mode & 0o777
    return mode & (0o707 | (mode & 0o007) << 3)


def _take_rights(fd: int, like: os.stat_result) -> None:
    """
    Give a file the group, permissions and owner of another, as far as the system lets us.

    Where the group cannot be had, ours gets nothing that it did not have before.
    """
    own = os.fstat(fd)
    mode = like.st_mode & 0o777
    if own.st_gid != like.st_gid:
        try:
            os.fchown(fd, -1, like.st_gid)
        except OSError:
            mode = _for_any_group(like)
    if own.st_mode & 0o777 != mode:
        os.fchmod(fd, mode)
    if own.st_uid != like.st_uid:
        with contextlib.suppress(OSError):
            os.fchown(fd, like.st_uid, -1)


class Draft:
    """
    A file that is being written.

    Args:
        tree: Where.
        key: The key that it will have.
        overwrite: Whether it may replace a file.
        sync: Whether it must survive a power loss once it is published.
        atomic: Whether the file system renames without replacing.
        like: A file whose owner, group and permissions it gets if it replaces
            none; None for those of any new file.
        look: Look what is at the key. Without, whatever is there is in the way
            when the file is published, also a link that could be followed.

    Raises:
        InvalidPath, AlreadyExists, NotFound, OSError: See `open_target`, `refuse_kind`.
    """

    def __init__(
        self,
        tree: Tree,
        key: str,
        *,
        overwrite: bool,
        sync: bool,
        atomic: bool,
        like: os.stat_result | None = None,
        look: bool = True,
    ) -> None:
        self.key = key
        self.fd = -1
        self.written = 0
        #: Held by a block of a stream that is being written in some thread.
        self.busy = threading.Lock()
        self._tree = tree
        self._overwrite = overwrite
        self._sync = sync
        self._atomic = atomic
        self._like = like
        self._made: list[str] = []
        self._generation = os.urandom(16).hex()
        self._temporary = RESERVED + self._generation
        #: Whether the key has the new content, whatever failed afterwards.
        self.published = False
        self._done = False
        try:
            self._place = self._create(look)
        except BaseException:
            remove_made(tree, self._made)
            raise

    def _create(self, look: bool) -> Place:
        for _ in range(TRIES):
            place = open_target(self._tree, self.key, self._made, look=look)
            try:
                if place.found is not None:
                    refuse_kind(self._tree, self.key, place, overwrite=self._overwrite)
                    # A private file stays private, whatever the umask.
                    self._like = place.found
                self.fd = place.folder.open(
                    self._temporary,
                    os.O_RDWR | os.O_CREAT | os.O_EXCL,
                    # Attributes can be set only while the owner may write.
                    0o666 if self._like is None else _for_any_group(self._like) | 0o600,
                )
            except FileNotFoundError:
                place.folder.close()  # deleted since it was opened
                continue
            except BaseException:
                place.folder.close()
                raise
            lock(self.fd)
            return place
        msg = f"Its folder is deleted again and again: {self.key!r}"
        raise PreconditionFailed(msg, path=self.key, backend=self._tree.backend)

    def write(self, data: bytes | memoryview, stopped: Callable[[], bool] = never_stop) -> None:
        """
        Append *data*.

        Raises:
            Stopped: *stopped* said so.
            OSError: The system could not.
        """
        start = 0
        while start < len(data):
            if stopped():
                raise Stopped
            # Most files are written by the first call, for which nothing needs to be cut.
            part = memoryview(data)[start : start + STEP] if start or len(data) > STEP else data
            start += os.write(self.fd, part)
        self.written += start

    def commit(
        self, metadata: bytes = b"", *, mark: bool = True, times: tuple[int, int] | None = None
    ) -> tuple[os.stat_result, str | None]:
        """
        Publish the file under its key.

        Args:
            metadata: Encoded user metadata.
            mark: Whether the file system keeps attributes.
            times: Access and modification time to set, in nanoseconds.

        Returns:
            What the published file looks like, and its generation if it keeps one.

        Raises:
            AlreadyExists, InvalidPath: Somebody else took the name meanwhile.
            PreconditionFailed: The folder was deleted meanwhile.
            CapabilityNotSupported: The file system keeps no metadata.
            OSError: The system could not; the key is as it was.
            RemoteStoreError: Published, but what followed failed, with
                ``outcome_unknown``.
        """
        generation = None
        if mark:
            backend = self._tree.backend
            generation = write_attributes(self.fd, self._generation, metadata, self.key, backend)
        if self._like is not None and hasattr(os, "fchmod"):
            _take_rights(self.fd, self._like)
        if times is not None and os.utime in os.supports_fd:
            os.utime(self.fd, ns=times)
        if self._sync:
            os.fsync(self.fd)
        if not _RENAMES_OPEN_FILES:
            self._close_file()
        self._publish()
        try:
            # Only now: each of the steps above changes the times.
            found = os.fstat(self.fd) if self.fd >= 0 else self._place.folder.stat(self._place.name)
            self._close()
        except OSError as error:
            raise in_place_but(self._tree, self.key, error) from error
        return found, generation

    def _publish(self) -> None:
        folder, name = self._place.folder, self._place.name
        try:
            if self._sync:
                with names_synced(self._tree, self.key, (folder,), self._made):
                    self._rename(folder, name)
            else:
                self._rename(folder, name)
        except FileNotFoundError as error:
            msg = f"Its folder was deleted while it was being written: {self.key!r}"
            raise PreconditionFailed(msg, path=self.key, backend=self._tree.backend) from error
        except (FileExistsError, IsADirectoryError) as error:
            taken_by(self._tree, self.key, folder, name, error)

    def _rename(self, folder: Folder, name: str) -> None:
        if self._overwrite:
            os.replace(
                folder.at(self._temporary),
                folder.at(name),
                src_dir_fd=folder.fd,
                dst_dir_fd=folder.fd,
            )
            self.published = True
            return
        linked = rename_exclusive(folder, self._temporary, folder, name, atomic=self._atomic)
        self.published = True
        if linked:
            try:
                folder.unlink(self._temporary)
            except OSError as error:  # the file is there all the same
                _warn_of_litter(self.key, error)

    def discard(self) -> None:
        """
        Remove what is there if it was not published; idempotent.

        Raises:
            OSError: The temporary file could not be removed.
        """
        with self.busy:
            self._discard()

    def _discard(self) -> None:
        if self._done:
            return
        self._done = True
        self._close_file()  # first: Windows removes no file that is open
        try:
            if not self.published:
                self._place.folder.unlink(self._temporary)
        except FileNotFoundError:
            pass  # deleted together with its folder
        finally:
            self._close()
            if not self.published:
                remove_made(self._tree, self._made)

    def _close_file(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _close(self) -> None:
        self._done = True
        self._place.folder.close()
        self._close_file()


def abandon(draft: Draft) -> None:
    """Discard a draft whose writer has an error of its own to raise: one more is only logged."""
    try:
        draft.discard()
    except OSError as error:
        _warn_of_litter(draft.key, error)


def _warn_of_litter(key: str, error: OSError) -> None:
    _log.warning("Could not remove a temporary file of %r: %s", key, error)
