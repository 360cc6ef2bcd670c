"""
Writing local files: blocking and free of asyncio.

What is written goes to a `TempFile` first. A file whose content is at hand is
written in one call; a stream begins and finishes a temporary file and fills it itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from remote_store import (
    PreconditionFailed,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store_local._errors import mapped
from remote_store_local._files import RETRIES, LocalFiles
from remote_store_local._fs.temp_file import TempFile, abandon, never_stop
from remote_store_local._fs.xattrs import encode_metadata, etag_of, modified_at, no_metadata

__all__ = ["Write", "begin", "create", "finish", "write_bytes"]

T = TypeVar("T")

#: Bytes of a file that are sooner written in vain than a look at the key is taken.
_SMALL: Final = 1 << 16


class Write:
    """
    What a write is to do, beside the bytes.

    Args:
        overwrite: Whether an existing file may be replaced; it may where *if_match* says which.
        atomic: Whether it is a ``write_atomic``, for the fsync policy.
        metadata: User metadata; copied, because its owner may change it while
            the content is being read.
        if_match: ETag of the version that may be replaced.
    """

    __slots__ = ("atomic", "if_match", "metadata", "overwrite")

    def __init__(
        self,
        overwrite: bool,
        atomic: bool,
        metadata: Mapping[str, str] | None,
        if_match: str | None = None,
    ) -> None:
        self.overwrite = overwrite or if_match is not None
        self.atomic = atomic
        self.metadata = None if metadata is None else dict(metadata)
        self.if_match = if_match


@mapped
def begin(files: LocalFiles, key: str, write: Write) -> TempFile:
    """
    Begin to write a file: everything is checked, nothing is visible yet.

    Raises:
        InvalidPath: *key* is malformed, the root, reserved or a folder, or
            lies under a file.
        AlreadyExists: A file is there and may not be replaced.
        PreconditionFailed: Another version is there than is to be replaced, or none.
        CapabilityNotSupported: The file system keeps no metadata.
        ValueError: A metadata value has no UTF-8 form.
        PermissionDenied, RemoteStoreError: The system refuses the file.
    """
    target = files.target_key(key)
    _encoded(files, key, write)
    return _temp_file(files, target, write, None, look=True)


@mapped
def finish(
    files: LocalFiles, key: str, temp_file: TempFile, rest: bytes, write: Write
) -> WriteResult:
    """
    Write the last bytes of a temporary file and publish it.

    Raises:
        AlreadyExists, InvalidPath: Another writer took the name meanwhile.
        PreconditionFailed: The folder was deleted meanwhile, or the version that
            was to be replaced was.
        RemoteStoreError: The system could not write; with ``outcome_unknown``
            the file is in place, and may yet be lost to a power loss.
    """
    metadata = _encoded(files, key, write)
    return _finish(files, key, temp_file, rest, write, metadata, never_stop)


@mapped
def write_bytes(
    files: LocalFiles, key: str, data: bytes, write: Write, stopped: Callable[[], bool]
) -> WriteResult:
    """Write a file whose content is at hand."""
    target = files.target_key(key)
    metadata = _encoded(files, key, write)
    return _attempts(
        files,
        target,
        write,
        lambda temp_file: _finish(files, key, temp_file, data, write, metadata, stopped),
        size=len(data),
    )


@mapped
def create(
    files: LocalFiles,
    key: str,
    write: Write,
    fill: Callable[[TempFile], T],
    *,
    size: int,
    like: os.stat_result,
) -> T:
    """
    Create a file with content that can be had more than once.

    Args:
        files: Where.
        key: Its key, as `LocalFiles.target_key` returns it.
        write: What is to be done.
        fill: Writes and commits a temporary file; called again with a new one where
            that can help.
        size: Bytes that *fill* will write.
        like: A file whose owner, group and permissions it gets if it replaces none.
    """
    return _attempts(files, key, write, fill, size=size, like=like)


def _attempts(
    files: LocalFiles,
    key: str,
    write: Write,
    fill: Callable[[TempFile], T],
    *,
    size: int,
    like: os.stat_result | None = None,
) -> T:
    # Most keys that must not exist do not. A small file is created without
    # asking; a second attempt finds out what stands in its way.
    look = write.overwrite or size > _SMALL
    left = RETRIES
    while True:
        temp_file = None
        try:
            temp_file = _temp_file(files, key, write, like, look=look)
            return fill(temp_file)
        except BaseException as error:
            if temp_file is not None:
                abandon(temp_file)
            if not isinstance(error, (OSError, RemoteStoreError)) or _is_final(error, key):
                raise
            if not look and not (temp_file is not None and temp_file.published):
                look = True
            elif isinstance(error, PreconditionFailed) and left and write.if_match is None:
                left -= 1  # its folder was deleted: the write comes afterwards
            else:
                raise


def _is_final(error: OSError | RemoteStoreError, key: str) -> bool:
    """Return True if a second attempt cannot help: this may have worked, or another file failed."""
    return isinstance(error, RemoteStoreError) and (error.outcome_unknown or error.path != key)


def _temp_file(
    files: LocalFiles, key: str, write: Write, like: os.stat_result | None, *, look: bool
) -> TempFile:
    sync = files.fsync == "always" or (files.fsync == "atomic" and write.atomic)
    if write.if_match is not None:
        files.check_version(key, write.if_match)  # before content is read, or a folder made
    return TempFile(
        files.root,
        key,
        overwrite=write.overwrite,
        sync=sync,
        atomic=files.moves_atomically,
        like=like,
        look=look,
        if_match=write.if_match,
    )


def _finish(
    files: LocalFiles,
    key: str,
    temp_file: TempFile,
    rest: bytes,
    write: Write,
    metadata: bytes,
    stopped: Callable[[], bool],
) -> WriteResult:
    if rest:
        temp_file.write(rest, stopped)
    found, generation = temp_file.commit(metadata, mark=files.keeps_metadata)
    return WriteResult(
        RemotePath(key),
        temp_file.written,
        "native",
        None,
        etag_of(generation, found),
        None,
        modified_at(found),
        dict(write.metadata) if write.metadata is not None and files.keeps_metadata else None,
    )


def _encoded(files: LocalFiles, key: str, write: Write) -> bytes:
    if not write.metadata:
        return b""
    if not files.keeps_metadata:
        raise no_metadata(key, files.name)
    return encode_metadata(write.metadata)
