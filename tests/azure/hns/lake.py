"""A backend on an emulated hierarchical account, and the account past the backend."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, TypeVar

import aiohttp
from attrs import define, field
from azure.storage.blob import ContainerClient
from azure.storage.filedatalake import FileSystemClient
from tests.azure.transport import CountingTransport

from hns_emulator import HnsEmulator, loopback_connector
from remote_store import RetryPolicy
from remote_store_azure import AsyncAzureBackend
from remote_store_objects.aiohttp import sent_once

__all__ = ["FS", "MIB", "Lake", "collected", "keys", "pieces"]

T = TypeVar("T")

FS: Final = "lake"
MIB: Final = 1 << 20
_DRAFT: Final = re.compile(r"\.~tmp\.[0-9a-f]+")


@define
class Lake:
    """
    One account.

    Args:
        emulator: It runs, and has a filesystem ``lake``.
        transports: Those that backends of `backend` have made.
    """

    emulator: HnsEmulator
    transports: list[CountingTransport] = field(factory=list)
    _blobs: ContainerClient | None = field(default=None, init=False)
    _paths: FileSystemClient | None = field(default=None, init=False)

    def close(self) -> None:
        """Close the plain SDK's clients."""
        for client in (self._blobs, self._paths):
            if client is not None:
                client.close()

    def backend(self, **options: Any) -> AsyncAzureBackend:
        """Return a new backend, that reaches the account by names of hosts."""
        options = {
            "connection_string": self.emulator.connection_string,
            "retry": RetryPolicy(max_attempts=3, backoff_base=0.01, jitter=0),
            "hns": True,
            **options,
        }
        sizes = options.pop("client_options", {})
        return AsyncAzureBackend(
            FS, client_options={"transport": self._transport, **sizes}, **options
        )

    def _transport(self) -> CountingTransport:
        session = aiohttp.ClientSession(
            connector=loopback_connector(), auto_decompress=False, middlewares=(sent_once,)
        )
        self.transports.append(CountingTransport(session=session, session_owner=True))
        return self.transports[-1]

    @property
    def transport(self) -> CountingTransport:
        """The newest one."""
        return self.transports[-1]

    def seen(self) -> list[str]:
        """Return what the account was asked since the last call, temporary names masked."""
        found = list(self.emulator.requests)
        self.emulator.requests.clear()
        return [
            _DRAFT.sub("TMP", f"{r.method} {r.kind} {r.path.removeprefix(f'/{FS}')} {r.query}")
            + f" {r.status}"
            for r in found
        ]

    @property
    def blobs(self) -> ContainerClient:
        """A client of the plain SDK."""
        if self._blobs is None:
            self._blobs = ContainerClient.from_connection_string(
                self.emulator.path_style_connection_string, FS
            )
        return self._blobs

    @property
    def paths(self) -> FileSystemClient:
        """A client of the plain SDK."""
        if self._paths is None:
            self._paths = FileSystemClient.from_connection_string(
                self.emulator.path_style_connection_string, FS
            )
        return self._paths

    def put(self, key: str, content: bytes = b"", metadata: dict[str, str] | None = None) -> None:
        """Write a file past the backend, as the Data Lake service does."""
        file = self.paths.create_file(key, metadata=metadata)
        if content:
            file.append_data(content, 0, flush=True)
        self.emulator.requests.clear()

    def mkdir(self, key: str) -> None:
        """Make a folder past the backend."""
        self.paths.create_directory(key)
        self.emulator.requests.clear()

    def remove(self, key: str) -> None:
        """Remove a file or folder past the backend."""
        self.paths.delete_directory(key)
        self.emulator.requests.clear()

    def files(self) -> dict[str, bytes]:
        """Return all files with their content, temporary ones included."""
        found = {
            blob.name: self.blobs.download_blob(blob.name).readall()
            for blob in self.blobs.list_blobs(include=["metadata"])
            if not (blob.metadata or {}).get("hdi_isfolder")
        }
        self.emulator.requests.clear()
        return found

    def folders(self) -> set[str]:
        """Return all folders."""
        found = {path.name for path in self.paths.get_paths() if path.is_directory}
        self.emulator.requests.clear()
        return found


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield *chunks*, as a caller's stream of unknown length."""
    for chunk in chunks:
        yield chunk


async def collected(found: AsyncIterator[T]) -> list[T]:
    """Return all that an iterator yields."""
    return [one async for one in found]


def keys(found: Iterable[Any]) -> list[str]:
    """Return the paths of entries."""
    return [entry.path.as_posix() for entry in found]
