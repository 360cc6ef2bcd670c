"""
What a file carries beside its content, kept in extended attributes of the file itself.

User metadata is one attribute holding JSON; where a file system keeps
attributes in one block of 4 KiB, JSON that escaping made long is compressed.
A second attribute is the generation: a random id that each version written by
this library gets. It makes the ETag honest: times, sizes and inode numbers
can repeat, a generation cannot.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from remote_store import UNKNOWN_TIME, CapabilityNotSupported, RemoteStoreError
from remote_store_local._fs.folder import OpenFolder, close_quietly

__all__ = [
    "decode_metadata",
    "encode_metadata",
    "etag_at",
    "etag_of",
    "keeps_attributes",
    "modified_at",
    "no_metadata",
    "read_attributes",
    "read_metadata",
    "write_attributes",
]

_METADATA: Final = "user.remote_store.metadata"
_GENERATION: Final = "user.remote_store.generation"
#: Ends the generation of a file that has metadata; no digit of its own.
_WITH_METADATA: Final = "m"
#: Longer JSON is compressed, so that the greatest metadata fit one block.
_PLAIN: Final = 3000
#: Bytes of JSON that metadata can take at most, several times over.
_DECODED: Final = 1 << 17
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Microseconds before which seconds as a float tell each one, which is the faster way.
_EXACT: Final = (1 << 32) * 1_000_000
#: "No room for an attribute of that size", in the spellings of the file systems.
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.ERANGE}
#: "There are no attributes here": any other error is a failure, not an answer.
_NONE_HERE: Final = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
#: "There is no such attribute", in the two spellings of the systems.
_NO_ATTRIBUTE: Final = {errno.ENODATA, getattr(errno, "ENOATTR", errno.ENODATA)}


def keeps_attributes(path: str) -> bool:
    """
    Return True if the file system at *path* keeps extended attributes; writes nothing.

    Raises:
        OSError: The system does not say.
    """
    if not hasattr(os, "getxattr"):
        return False
    try:
        os.getxattr(path, _GENERATION)
    except OSError as error:
        if error.errno in _NONE_HERE:
            return False
        if error.errno not in _NO_ATTRIBUTE:
            raise
    return True


def encode_metadata(metadata: Mapping[str, str] | None) -> bytes:
    """
    Return the attribute's value, ``b""`` for no metadata.

    Raises:
        ValueError: A value has no UTF-8 form.
    """
    if not metadata:
        return b""
    import json  # few files have metadata

    try:
        text = json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        msg = "a metadata value cannot be encoded as UTF-8"
        raise ValueError(msg) from error
    if len(text) <= _PLAIN:
        return text
    import zlib

    return zlib.compress(text, 9)


def decode_metadata(raw: bytes, key: str, backend: str) -> dict[str, str] | None:
    """
    Return the metadata of an attribute's value, None for ``b""``.

    Raises:
        RemoteStoreError: The value was not written by this library.
    """
    if not raw:
        return None
    import json
    import zlib

    try:
        if raw[:1] != b"{":
            raw = zlib.decompressobj().decompress(raw, _DECODED)
        decoded = json.loads(raw)
        if not isinstance(decoded, dict):
            msg = f"expected an object, got {type(decoded).__name__}"
            raise ValueError(msg)
    except (ValueError, zlib.error, RecursionError) as error:
        msg = f"Unreadable metadata in attribute {_METADATA!r} of {key!r}"
        raise RemoteStoreError(msg, path=key, backend=backend) from error
    return {str(name): str(value) for name, value in decoded.items()}


def no_metadata(key: str, backend: str) -> CapabilityNotSupported:
    """Return the error for user metadata where files cannot carry any."""
    msg = "the file system keeps no extended attributes, and so no user metadata"
    return CapabilityNotSupported(msg, path=key, backend=backend, capability="user_metadata")


def _is_full(fd: int) -> bool:
    """Return True if the file system is full: then it is not the attribute that is too large."""
    try:
        return os.fstatvfs(fd).f_bavail == 0
    except OSError:
        return False


def write_attributes(
    fd: int, generation: str, metadata: bytes, key: str, backend: str
) -> str | None:
    """
    Mark an open file that is not published yet.

    Args:
        fd: Its descriptor.
        generation: A random id.
        metadata: Encoded metadata.
        key: The file's key, for errors.
        backend: Name of the backend, for errors.

    Returns:
        The generation as `read_attributes` will give it, None if the file
        system keeps no attributes and none had to be kept.

    Raises:
        CapabilityNotSupported: The file system keeps no metadata.
        RemoteStoreError: It has no room for them.
        OSError: The system refuses an attribute for another reason.
    """
    if metadata:
        try:
            os.setxattr(fd, _METADATA, metadata)
        except OSError as error:
            if error.errno in _NONE_HERE:
                raise no_metadata(key, backend) from error
            if error.errno not in _NO_ROOM or _is_full(fd):
                raise
            msg = (
                f"User metadata do not fit, they take {len(metadata)} bytes of an "
                f"extended attribute ({error.strerror}): {key!r}"
            )
            raise RemoteStoreError(msg, path=key, backend=backend) from error
        generation += _WITH_METADATA
    try:
        os.setxattr(fd, _GENERATION, generation.encode())
    except OSError as error:
        # Another file system mounted below the root may keep none.
        if error.errno in _NONE_HERE:
            return None
        raise
    return generation


def read_attributes(fd: int) -> tuple[str | None, bytes]:
    """Return generation (None without one) and encoded metadata of an open file."""
    generation = _get(fd, _GENERATION).decode("ascii", "replace")
    if generation and not generation.endswith(_WITH_METADATA):
        return generation, b""  # most files: no second call
    return generation or None, _get(fd, _METADATA)


def read_metadata(fd: int) -> bytes:
    """Return the encoded metadata of an open file, ``b""`` for none."""
    # Most files have none, and an error takes four times as long as a list of nothing.
    try:
        names = os.listxattr(fd)
    except OSError as error:
        if error.errno in _NONE_HERE:
            return b""
        raise
    return _get(fd, _METADATA) if _METADATA in names else b""


def _get(fd: int, name: str) -> bytes:
    try:
        return os.getxattr(fd, name)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTE or error.errno in _NONE_HERE:
            return b""
        raise


def etag_of(generation: str | None, found: os.stat_result) -> str | None:
    """
    Return the version token of a file, None for a file without a generation.

    Another program that writes into the file keeps the generation but not the
    times and size, so that both kinds of change give a new token.
    """
    if generation is None:
        return None
    return (
        f"{generation}-{found.st_ino:x}-{found.st_ctime_ns:x}"
        f"-{found.st_mtime_ns:x}-{found.st_size:x}"
    )


def etag_at(folder: OpenFolder, name: str) -> str | None:
    """
    Return the version token of the file that has a name now, None without one.

    Raises:
        OSError: There is none, or it cannot be read.
    """
    fd = folder.open(name)
    try:
        return etag_of(read_attributes(fd)[0], os.fstat(fd))
    finally:
        close_quietly(fd)


def modified_at(found: os.stat_result) -> datetime:
    """Return the modification time, in whole microseconds, or `UNKNOWN_TIME`."""
    micros = found.st_mtime_ns // 1000
    if 0 <= micros < _EXACT:
        return datetime.fromtimestamp(micros / 1e6, UTC)
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:  # beyond the year 9999
        return UNKNOWN_TIME
