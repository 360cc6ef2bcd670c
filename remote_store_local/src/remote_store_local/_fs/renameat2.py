"""
Giving a file a name that is free: of several callers one succeeds.

Linux has a system call for it that Python does not offer, ``renameat2``;
elsewhere a second link is made, which is refused in the same way.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
from typing import Any, Final

from remote_store.authoring import RESERVED_PREFIX
from remote_store_local._fs.folder import OpenFolder

__all__ = ["RENAMES_OPEN_FILES", "rename_exclusive", "renameat2", "renames_exclusively"]

#: False where the system does not rename files that are open.
RENAMES_OPEN_FILES: Final = os.name != "nt"
_CANNOT: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
_RENAME_NOREPLACE: Final = 1


@functools.cache
def _loaded() -> Any:
    if sys.platform != "linux":
        return None
    import ctypes  # as long to load as a file is to write: only for who renames

    # Without types of its arguments: what it is given is of none but these, and to convert them
    # would take as long as the call.
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def renameat2(src_fd: int, src: str, dst_fd: int, dst: str) -> None:
    """
    Rename without replacing: of any number of callers for one name one succeeds.

    Raises:
        OSError: EEXIST: something is at *dst*; ENOSYS, EINVAL or ENOTSUP: the
            system or the file system cannot do this; otherwise as `os.rename`.
    """
    rename = _loaded()
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), src)
    if rename(src_fd, os.fsencode(src), dst_fd, os.fsencode(dst), _RENAME_NOREPLACE):
        import ctypes

        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), src, None, dst)


def rename_exclusive(
    source: OpenFolder, src: str, target: OpenFolder, dst: str, *, atomic: bool
) -> bool:
    """
    Give a file another name that is free: one of several callers succeeds.

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
    if not RENAMES_OPEN_FILES:
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


def renames_exclusively(folder: OpenFolder) -> bool:
    """
    Try on a temporary file whether the file system renames without replacing.

    Raises:
        OSError: It could not be tried.
    """
    if folder.fd is None:
        return False
    name = RESERVED_PREFIX + os.urandom(16).hex()
    fd = folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        os.close(fd)
        renameat2(folder.fd, name, folder.fd, name + "r")
    except OSError as error:
        # Some sandboxes refuse system calls that they do not know with EPERM.
        if error.errno not in _CANNOT and error.errno != errno.EPERM:
            raise
        return False
    finally:
        for left in (name, name + "r"):
            with contextlib.suppress(FileNotFoundError):
                folder.unlink(left)
    return True
