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
    BackendUnavailable,
    FileInfo,
    FolderEntry,
    FolderInfo,
    RemotePath,
    RemoteStoreError,
    WriteResult,
)
from remote_store.authoring import (
    already_exists,
    ancestor_is_file,
    cannot_delete_root,
    folder_not_empty,
    is_a_file,
    is_a_folder,
    is_key,
    not_found,
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
                (row[0], _file_info(*row) if is_key(row[0]) else None) for row in rows.fetchall()
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
            raise cannot_delete_root(key, NAME)
        with self._transaction(key) as connection:
            if missing_ok and _kind(connection, key) is None:
                return
            _require_folder(connection, key)
            if not recursive:
                raise folder_not_empty(key, NAME)
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
        raise is_a_folder(key, NAME)
    if kind is None:
        raise not_found(key, NAME)


def _require_folder(connection: sqlite3.Connection, key: str) -> None:
    kind = _kind(connection, key)
    if kind == "file":
        raise is_a_file(key, NAME)
    if kind is None:
        raise not_found(key, NAME)


def _check_target(connection: sqlite3.Connection, key: str, *, overwrite: bool) -> None:
    names = key.split("/")
    for depth in range(1, len(names)):
        folder = "/".join(names[:depth])
        if _kind(connection, folder) == "file":
            raise ancestor_is_file(key, NAME, folder)
    kind = _kind(connection, key)
    if kind == "folder":
        raise is_a_folder(key, NAME)
    if kind == "file" and not overwrite:
        raise already_exists(key, NAME)
