"""
Local files as Python's own binary files: what the sync backend hands out and takes.

The system's errors come out of them as ours, like those of every other
operation; the caller's own pass unchanged.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar, TypeVarTuple, cast

from remote_store import RemoteStoreError, WritableContent, WriteResult
from remote_store.authoring import as_bytes
from remote_store_local._errors import mapped, translate
from remote_store_local._files import LocalFiles
from remote_store_local._fs.folder import close_quietly
from remote_store_local._fs.temp_file import TempFile, abandon
from remote_store_local._fs.version import ended_early
from remote_store_local._read import shrunk
from remote_store_local._streams import BLOCK
from remote_store_local._write import Write, begin, finish

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["open_reader", "open_temp_file", "write_from"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Bytes that small reads and writes are gathered to.
_BUFFER: Final = 64 << 10


class _RawFile(io.FileIO):
    """A raw file whose errors are ours."""

    def __init__(self, files: LocalFiles, key: str, fd: int, mode: str, *, closefd: bool) -> None:
        super().__init__(fd, mode, closefd=closefd)
        self._files = files
        self._key = key

    def _call(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            return function(*args)
        except (RemoteStoreError, io.UnsupportedOperation):  # both may be OSErrors
            raise
        except OSError as error:
            raise translate(error, self._key, self._files.name) from error

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._call(super().seek, offset, whence)

    def tell(self) -> int:
        return self._call(super().tell)

    def close(self) -> None:
        self._call(super().close)


class _ReadFile(_RawFile):
    """One version of a file; an end before its size is an error, not the end."""

    def __init__(self, files: LocalFiles, key: str, fd: int, found: os.stat_result) -> None:
        super().__init__(files, key, fd, "rb", closefd=True)
        self._found = found

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        got = self._call(super().readinto, buffer) or 0
        if not got and memoryview(buffer).nbytes:
            self._check_end()
        return got

    def readall(self) -> bytes:
        data = self._call(super().readall) or b""
        self._check_end()
        return data

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[: self.readinto(buffer)])

    def _check_end(self) -> None:
        at = self.tell()
        if self._call(ended_early, self.fileno(), self._found, at):
            raise shrunk(self._files, self._key, at, self._found.st_size)


class _WritableTempFile(_RawFile):
    """A temporary file, which closes its descriptor itself."""

    def __init__(self, files: LocalFiles, key: str, temp_file: TempFile) -> None:
        super().__init__(files, key, temp_file.fd, "r+b", closefd=False)
        self.failure: RemoteStoreError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return self._call(super().write, data)
        except RemoteStoreError as error:
            self.failure = error
            raise

    def truncate(self, size: int | None = None, /) -> int:
        return self._call(super().truncate, size)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._call(super().readinto, buffer) or 0


@mapped
def open_reader(files: LocalFiles, key: str, if_match: str | None = None) -> BinaryIO:
    """
    Open one version of a file for reading.

    Raises:
        PreconditionFailed: It is another one than *if_match*.
        NotFound, InvalidPath, PermissionDenied: See `LocalFiles.open_file`.
    """
    fd, found = files.open_version(key, if_match)
    try:
        raw = _ReadFile(files, key, fd, found)
    except BaseException:
        close_quietly(fd)
        raise
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))


def write_from(files: LocalFiles, key: str, content: WritableContent, write: Write) -> WriteResult:
    """
    Write a file from a binary file, step by step.

    Args:
        files: Where.
        key: Key of a file.
        content: Read to its end, and not closed; its exceptions pass unchanged.
        write: What is to be done with it.

    Raises:
        TypeError: *content* is not a binary file.
        AlreadyExists, InvalidPath, PreconditionFailed, RemoteStoreError: See
            `begin` and `finish`; an existing key and a bad path before *content* is read.
    """
    read = getattr(content, "read", None)
    if not callable(read):
        msg = f"content must be bytes or a binary file, got {type(content).__name__}"
        raise TypeError(msg)
    with _temp_file(files, key, write) as temp_file:
        while chunk := as_bytes(read(BLOCK)):
            _append(files, key, temp_file, chunk)
        return finish(files, key, temp_file, b"", write)


@contextlib.contextmanager
def open_temp_file(files: LocalFiles, key: str, *, overwrite: bool) -> Iterator[BinaryIO]:
    """
    Open a new version of a file, which is published at the end of the block.

    It can be read and sought in as well. Closing it in the block is no
    failure. An exception in the block is one, and publishes nothing; so is a
    write that the system refused, even if the block went on after it.

    Raises:
        AlreadyExists, InvalidPath, PreconditionFailed, RemoteStoreError: See
            `begin` and `finish`; an existing key and a bad path at the start.
    """
    write = Write(overwrite=overwrite, atomic=True, metadata=None)
    with _temp_file(files, key, write) as temp_file:
        raw = _WritableTempFile(files, key, temp_file)
        file = io.BufferedRandom(raw, _BUFFER)
        try:
            yield cast("BinaryIO", file)
            if not file.closed:
                file.flush()
            if raw.failure is not None:
                raise raw.failure
        finally:
            # What is left in the buffer must not be written later on, when the
            # descriptor may be another file's.
            raw.close()
        finish(files, key, temp_file, b"", write)


@contextlib.contextmanager
def _temp_file(files: LocalFiles, key: str, write: Write) -> Iterator[TempFile]:
    temp_file = begin(files, key, write)
    try:
        yield temp_file
    except BaseException:
        abandon(temp_file)
        raise


@mapped
def _append(files: LocalFiles, key: str, temp_file: TempFile, chunk: bytes) -> None:
    temp_file.write(chunk)
