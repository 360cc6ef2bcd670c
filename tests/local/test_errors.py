"""The table of the operating system's errors."""

from __future__ import annotations

import errno
import os

import pytest

from remote_store import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemoteStoreError,
)
from remote_store_local._errors import mapped, translate


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOENT, NotFound),
        (errno.ENOTDIR, NotFound),
        (errno.EEXIST, AlreadyExists),
        (errno.ENOTEMPTY, DirectoryNotEmpty),
        (errno.EISDIR, InvalidPath),
        (errno.ELOOP, InvalidPath),
        (errno.ENAMETOOLONG, InvalidPath),
        (errno.EILSEQ, InvalidPath),
        (errno.EACCES, PermissionDenied),
        (errno.EPERM, PermissionDenied),
        (errno.EROFS, PermissionDenied),
        (errno.EXDEV, RemoteStoreError),
        (errno.ENOSPC, RemoteStoreError),
        (errno.EDQUOT, RemoteStoreError),
        (errno.EIO, RemoteStoreError),
        (errno.ESTALE, RemoteStoreError),
    ],
)
def test_table(number: int, expected: type[RemoteStoreError]) -> None:
    """Each number gives exactly one class, with the key in the message."""
    error = translate(OSError(number, os.strerror(number)), "a/b", "async-local")
    assert type(error) is expected
    assert (error.path, error.backend) == ("a/b", "async-local")
    assert "a/b" in str(error)


def test_an_error_without_a_number() -> None:
    """An OSError that carries no number is still one of ours."""
    assert type(translate(OSError(), "k", "b")) is RemoteStoreError


def test_exdev_says_what_to_do() -> None:
    """A move across file systems is refused with the way out."""
    assert "copy and delete" in str(translate(OSError(errno.EXDEV, ""), "k", "b"))


class _Things:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def refusal(self, error: OSError, key: str) -> RemoteStoreError:
        return translate(error, key, "b")

    @mapped
    def work(self, key: str) -> None:
        raise self._error


def test_cause_is_kept() -> None:
    """The system's own error stays in ``__cause__``."""
    native = OSError(errno.EIO, "bad disk")
    with pytest.raises(RemoteStoreError, match="bad disk") as caught:
        _Things(native).work("k")
    assert caught.value.__cause__ is native


@pytest.mark.parametrize("error", [NotFound("x"), InvalidPath("y"), ValueError("z")])
def test_other_errors_pass(error: Exception) -> None:
    """What is ours already, although some are OSErrors too, passes as the same object."""
    with pytest.raises(type(error)) as caught:
        _Things(error).work("k")
    assert caught.value is error
