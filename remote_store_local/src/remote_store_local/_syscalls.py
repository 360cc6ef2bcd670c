"""One Linux system call that Python does not offer: renameat2."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import Any, Final

__all__ = ["renameat2"]

_RENAME_NOREPLACE: Final = 1


def _load() -> Any:
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is not None:
        function.argtypes = (
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_uint,
        )
    return function


_rename = _load()


def renameat2(src_fd: int, src: str, dst_fd: int, dst: str) -> None:
    """
    Rename without replacing: of any number of callers for one name one succeeds.

    Raises:
        OSError: EEXIST: something is at *dst*; ENOSYS, EINVAL or ENOTSUP: the
            system or the file system cannot do this; otherwise as `os.rename`.
    """
    if _rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), src)
    if _rename(src_fd, os.fsencode(src), dst_fd, os.fsencode(dst), _RENAME_NOREPLACE):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), src, None, dst)
