"""
What the conformance kit checks of this plugin; imported by the kit alone.

The kit is no dependency: it hands over its own `Target` class.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from acme_backend._backend import AcmeBackend
from acme_backend._database import SCHEMA

__all__ = ["conformance_targets"]


class _Scratch(Protocol):
    """The place that the kit gives to one run."""

    @property
    def folder(self) -> Path:
        """An empty local folder."""
        ...


def conformance_targets(target: Callable[..., Any]) -> Iterator[Any]:
    """Offer a database in a temporary folder; *target* is the kit's class of targets."""
    yield target(
        name="acme",
        open=_opened,
        environment="local",
        # Folders are what the keys imply, yet none has the name of a file.
        hierarchical=False,
        shared_names=False,
        # So that the kit can race processes, and kill them.
        url=lambda scratch: ("acme:///", {"database": _database(scratch)}),
        probe=lambda backend, scratch: _Rows(_database(scratch)),
        # Two pages and a bit more, of 500 each.
        max_list=1_100,
    )


def _database(scratch: _Scratch) -> str:
    return str(scratch.folder / "files.db")


@contextlib.asynccontextmanager
async def _opened(scratch: _Scratch) -> AsyncIterator[AcmeBackend]:
    backend = AcmeBackend(_database(scratch))
    try:
        yield backend
    finally:
        await backend.aclose()


class _Rows:
    """The way to the files that does not lead through the plugin."""

    def __init__(self, database: str) -> None:
        self._database = database

    def _do(self, statement: str, *values: object) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self._database, timeout=30)) as connection:
            connection.execute(SCHEMA)
            with connection:
                return connection.execute(statement, values).fetchall()

    async def put(self, key: str, content: bytes) -> None:
        """Put a file there."""
        self._do(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, 0, hex(randomblob(16)), '{}')",
            *(key, content, len(content)),
        )

    # SQLite takes any text as a key, also one that is no path.
    plant = put

    async def get(self, key: str) -> bytes | None:
        """Return a file's content, None where there is no file."""
        rows = self._do("SELECT content FROM files WHERE key = ?", key)
        return rows[0][0] if rows else None

    async def names(self, prefix: str) -> list[str]:
        """Return the keys of all files below a folder."""
        rows = self._do("SELECT key FROM files WHERE key > ? AND key < ?", *_below(prefix))
        return [key for (key,) in rows]

    async def remove(self, prefix: str) -> None:
        """Remove a folder with everything in it."""
        self._do("DELETE FROM files WHERE key > ? AND key < ?", *_below(prefix))


def _below(prefix: str) -> tuple[str, str]:
    return f"{prefix}/", f"{prefix}0"
