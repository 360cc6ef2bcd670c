"""What happens in the database. Nothing here is async; every function blocks."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    DirectoryNotEmpty,
    FileInfo,
    FolderEntry,
    FolderInfo,
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)

NAME: Final = "acme"
#: Entries of a listing that are fetched at once.
PAGE: Final = 500

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS files (
    key TEXT PRIMARY KEY, content BLOB NOT NULL, size INTEGER NOT NULL,
    modified INTEGER NOT NULL, etag TEXT NOT NULL, metadata TEXT NOT NULL
)
"""


def checked(path: str) -> str:
    """Return a key, ``""`` for the root; refuse what no store hands over, and what is no text."""
    if path in ("", "."):
        return ""
    msg = f"not a key in normal form: {path!r}"
    try:
        if RemotePath(path).as_posix() == path:
            # SQLite keeps UTF-8, in which half a surrogate pair cannot be written.
            path.encode()
            return path
    except ValueError as error:
        raise InvalidPath(msg, path=path, backend=NAME) from error
    raise InvalidPath(msg, path=path, backend=NAME)


def _is_path(key: str) -> bool:
    try:
        return checked(key) == key
    except InvalidPath:
        return False


def checked_target(path: str) -> str:
    """Return the key of a file that may be written, as far as its name tells."""
    key = checked(path)
    if not key or any(name.startswith(".~tmp.") for name in key.split("/")):
        msg = f"a reserved name: {key}" if key else "path must not be empty"
        raise InvalidPath(msg, path=path, backend=NAME)
    return key


def _below(key: str) -> tuple[str, str | bytes]:
    """
    Return the bounds of all keys below a folder: ``0`` is the character after ``/``.

    No text is above all keys, U+10FFFF may begin one. To SQLite every blob is.
    """
    return (f"{key}/", f"{key}0") if key else ("", b"")


@contextlib.contextmanager
def _native_errors(key: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, in this one place; the cause is kept."""
    try:
        yield
    except sqlite3.OperationalError as error:
        msg = f"the database cannot be used: {error}"
        raise BackendUnavailable(msg, path=key, backend=NAME) from error
    except sqlite3.Error as error:
        msg = f"the database failed: {error}"
        raise RemoteStoreError(msg, path=key, backend=NAME) from error


class Database:
    """
    One SQLite file, opened at the first use. Used by one thread at a time.

    Args:
        path: The file; it is made if it is missing.
        timeout: Seconds to wait while another process has it locked.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._connection: sqlite3.Connection | None = None

    @contextlib.contextmanager
    def _transaction(self, key: str) -> Iterator[sqlite3.Connection]:
        """
        Commit at the end, or change nothing.

        IMMEDIATE locks the database for other writers, processes included,
        so that what is looked up in it is still true at the commit.
        """
        with _native_errors(key):
            connection = self._connection or self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                # Within: a COMMIT that fails, because of a reader for instance, leaves the
                # transaction open, and the next BEGIN would fail for ever.
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()  # nothing to do where SQLite has done it already
                raise

    def _connect(self) -> sqlite3.Connection:
        """Open the file, and keep the connection once the table is there."""
        connection = sqlite3.connect(
            self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # Looking ---------------------------------------------------------------

    def kind(self, key: str) -> str | None:
        """Return ``"file"``, ``"folder"`` or None."""
        with self._transaction(key) as connection:
            return _kind(connection, key)

    def content(self, key: str) -> bytes:
        """Return the content of a file."""
        with self._transaction(key) as connection:
            _require_file(connection, key)
            row = connection.execute("SELECT content FROM files WHERE key = ?", (key,))
            content: bytes = row.fetchone()[0]
            return content

    def file_info(self, key: str) -> FileInfo:
        """Return what is known of a file."""
        with self._transaction(key) as connection:
            _require_file(connection, key)
            row = connection.execute(
                "SELECT key, size, modified, etag, metadata FROM files WHERE key = ?", (key,)
            )
            return _file_info(*row.fetchone())

    def folder_info(self, key: str) -> FolderInfo:
        """Return count, bytes and latest time of the files below a folder."""
        with self._transaction(key) as connection:
            _require_folder(connection, key)
            count, size, modified = connection.execute(
                "SELECT count(*), total(size), max(modified) FROM files WHERE key > ? AND key < ?",
                _below(key),
            ).fetchone()
            latest = None if modified is None else _time(modified)
            return FolderInfo(RemotePath.from_backend_path(key), count, int(size), latest)

    def files_page(
        self, key: str, *, recursive: bool, after: str
    ) -> list[tuple[str, FileInfo | None]]:
        """
        Return the next keys below a folder in their order, each with its file.

        None stands for a key such as ``a//b`` that others have put there: it is
        no path, and listed as the path ``a/b`` it would be another file.
        """
        first, last = _below(key)
        with self._transaction(key) as connection:
            rows = connection.execute(
                "SELECT key, size, modified, etag, NULL FROM files WHERE key > ? AND key < ?"
                " AND (? OR instr(substr(key, ?), '/') = 0) ORDER BY key LIMIT ?",
                (max(first, after), last, recursive, len(first) + 1, PAGE),
            )
            return [
                (row[0], _file_info(*row) if _is_path(row[0]) else None) for row in rows.fetchall()
            ]

    def next_folder(self, key: str, *, after: str) -> FolderEntry | None:
        """Return the first subfolder whose name comes after another's, or None."""
        first, last = _below(key)
        with self._transaction(key) as connection:
            row = connection.execute(
                "SELECT key FROM files WHERE key > ? AND key < ?"
                " AND instr(substr(key, ?), '/') > 1 ORDER BY key LIMIT 1",
                (f"{first}{after}0" if after else first, last, len(first) + 1),
            ).fetchone()
        if row is None:
            return None
        name = row[0][len(first) :].partition("/")[0]
        return FolderEntry(RemotePath(first + name), name)

    # Changing --------------------------------------------------------------

    def check_target(self, key: str, *, overwrite: bool) -> None:
        """Refuse what a write refuses, before its content is consumed."""
        with self._transaction(key) as connection:
            _check_target(connection, key, overwrite=overwrite)

    def put(
        self, key: str, content: bytes, *, overwrite: bool, metadata: Mapping[str, str] | None
    ) -> WriteResult:
        """Write a file; what `check_target` found out is decided again, at the commit."""
        etag, modified = uuid.uuid4().hex, time.time_ns() // 1000
        with self._transaction(key) as connection:
            _check_target(connection, key, overwrite=overwrite)
            connection.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                (key, content, len(content), modified, etag, json.dumps(dict(metadata or {}))),
            )
        return WriteResult(
            RemotePath(key),
            len(content),
            source="native",
            etag=etag,
            last_modified=_time(modified),
            metadata=None if metadata is None else dict(metadata),
        )

    def delete(self, key: str, *, missing_ok: bool) -> None:
        """Delete a file."""
        with self._transaction(key) as connection:
            if missing_ok and _kind(connection, key) is None:
                return
            _require_file(connection, key)
            connection.execute("DELETE FROM files WHERE key = ?", (key,))

    def delete_folder(self, key: str, *, recursive: bool, missing_ok: bool) -> None:
        """Delete a folder, which is: everything in it."""
        if not key:
            msg = "the root cannot be deleted"
            raise InvalidPath(msg, path=key, backend=NAME)
        with self._transaction(key) as connection:
            if missing_ok and _kind(connection, key) is None:
                return
            _require_folder(connection, key)
            if not recursive:
                msg = f"folder is not empty: {key}"
                raise DirectoryNotEmpty(msg, path=key, backend=NAME)
            connection.execute("DELETE FROM files WHERE key > ? AND key < ?", _below(key))

    def move(self, src: str, dst: str, *, overwrite: bool) -> None:
        """Rename a file, in one transaction: it is never under two names or none."""
        with self._transaction(src) as connection:
            _require_file(connection, src)
            if src == dst:
                return
            _check_target(connection, dst, overwrite=overwrite)
            connection.execute("DELETE FROM files WHERE key = ?", (dst,))
            connection.execute("UPDATE files SET key = ? WHERE key = ?", (dst, src))

    def copy(self, src: str, dst: str, *, overwrite: bool) -> None:
        """Copy a file; the copy is a version of its own."""
        with self._transaction(src) as connection:
            _require_file(connection, src)
            if src == dst:
                return
            _check_target(connection, dst, overwrite=overwrite)
            connection.execute(
                "INSERT OR REPLACE INTO files"
                " SELECT ?, content, size, ?, ?, metadata FROM files WHERE key = ?",
                (dst, time.time_ns() // 1000, uuid.uuid4().hex, src),
            )


def _time(modified: int) -> datetime:
    return datetime.fromtimestamp(modified / 1_000_000, UTC)


def _file_info(key: str, size: int, modified: int, etag: str, metadata: str | None) -> FileInfo:
    path = RemotePath(key)
    user = json.loads(metadata) or None if metadata else None
    return FileInfo(path, path.name, size, _time(modified), etag=etag, metadata=user)


def _kind(connection: sqlite3.Connection, key: str) -> str | None:
    if not key:
        return "folder"
    if connection.execute("SELECT 1 FROM files WHERE key = ?", (key,)).fetchone():
        return "file"
    query = "SELECT 1 FROM files WHERE key > ? AND key < ? LIMIT 1"
    return "folder" if connection.execute(query, _below(key)).fetchone() else None


def _require_file(connection: sqlite3.Connection, key: str) -> None:
    kind = _kind(connection, key)
    if kind == "folder":
        msg = f"a folder, not a file: {key}" if key else "path must not be empty"
        raise InvalidPath(msg, path=key, backend=NAME)
    if kind is None:
        msg = f"File not found: {key}"
        raise NotFound(msg, path=key, backend=NAME)


def _require_folder(connection: sqlite3.Connection, key: str) -> None:
    kind = _kind(connection, key)
    if kind == "file":
        msg = f"a file, not a folder: {key}"
        raise InvalidPath(msg, path=key, backend=NAME)
    if kind is None:
        msg = f"Folder not found: {key}"
        raise NotFound(msg, path=key, backend=NAME)


def _check_target(connection: sqlite3.Connection, key: str, *, overwrite: bool) -> None:
    names = key.split("/")
    for depth in range(1, len(names)):
        folder = "/".join(names[:depth])
        if _kind(connection, folder) == "file":
            msg = f"{folder!r} exists as a file"
            raise InvalidPath(msg, path=key, backend=NAME)
    kind = _kind(connection, key)
    if kind == "folder":
        msg = f"{key!r} exists as a directory"
        raise InvalidPath(msg, path=key, backend=NAME)
    if kind == "file" and not overwrite:
        msg = f"File already exists: {key}"
        raise AlreadyExists(msg, path=key, backend=NAME)
