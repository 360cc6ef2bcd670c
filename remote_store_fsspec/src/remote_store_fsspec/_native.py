"""What filesystems of fsspec answer, in the terms of a backend."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from remote_store import (
    UNKNOWN_TIME,
    BackendUnavailable,
    FileInfo,
    PermissionDenied,
    RemotePath,
    RemoteStoreError,
    redact_url,
)
from remote_store.authoring import is_a_folder, not_found

__all__ = ["ContentStream", "etag_of", "file_info", "native_errors"]

#: What filesystems call the time of the last change.
_TIMES: Final = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
#: What clients call a service that cannot be reached, where no builtin class says it.
_UNREACHABLE: Final = {"ClientConnectionError", "EndpointConnectionError", "ServiceRequestError"}


@contextlib.contextmanager
def native_errors(key: str, backend: str) -> Iterator[None]:
    """Raise what a filesystem raises in the block as an error of the core."""
    try:
        yield
    except RemoteStoreError:
        raise  # a store behind a filesystem behind a store
    except (FileNotFoundError, NotADirectoryError) as error:
        raise not_found(key, backend) from error
    except IsADirectoryError as error:
        raise is_a_folder(key, backend) from error
    except Exception as error:
        message = redact_url(str(error)) or type(error).__name__
        names = {cls.__name__ for cls in type(error).__mro__}
        kind = RemoteStoreError
        if isinstance(error, PermissionError):
            kind = PermissionDenied
        elif isinstance(error, (ConnectionError, TimeoutError)) or names & _UNREACHABLE:
            kind = BackendUnavailable
        raise kind(message, path=key, backend=backend) from error


def file_info(key: str, details: Mapping[str, Any], backend: str) -> FileInfo:
    """
    Return what is known of a file.

    Raises:
        RemoteStoreError: Its size is not known.
    """
    if details.get("size") is None:
        msg = "the filesystem does not know the size of the file"
        raise RemoteStoreError(msg, path=key, backend=backend)
    path = RemotePath(key)
    return FileInfo(
        path,
        path.name,
        int(details["size"]),
        _time(details),
        etag=etag_of(details),
        content_type=details.get("content_type") or details.get("ContentType"),
    )


def etag_of(details: Mapping[str, Any]) -> str | None:
    """Return the ETag without quotes, None where the filesystem has none."""
    etag = details.get("ETag") or details.get("etag")
    return etag.strip('"') or None if isinstance(etag, str) else None


def _time(details: Mapping[str, Any]) -> datetime:
    for name in _TIMES:
        value = details.get(name)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
    return UNKNOWN_TIME


class ContentStream(io.RawIOBase):
    """
    The content of a file, or a part of it, of which no byte may be missing.

    Args:
        file: Where it comes from.
        size: Bytes that have to come.
        key: Of the file, for errors.
        backend: Name of the backend.
        finish: Called at the end of the content.
    """

    def __init__(
        self, file: Any, size: int, key: str, backend: str, finish: Callable[[], object]
    ) -> None:
        self._file = file
        self._left = size
        self._key = key
        self._backend = backend
        self._finish = finish

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """
        Read into *buffer*; return how many bytes.

        Raises:
            RemoteStoreError: The content cannot be read, or ends too early.
        """
        view = memoryview(buffer).cast("B")[: self._left]
        if not self._left or not view.nbytes:
            return 0
        with native_errors(self._key, self._backend):
            piece = self._file.read(view.nbytes)
        if not piece:
            msg = f"the content ends {self._left} bytes too early"
            raise RemoteStoreError(msg, path=self._key, backend=self._backend)
        view[: len(piece)] = piece
        self._left -= len(piece)
        if not self._left:
            self._finish()
        return len(piece)

    def close(self) -> None:
        """Close what it comes from."""
        if not self.closed:
            try:
                self._file.close()
            finally:
                super().close()
