"""A backend on a container of Azurite, and what its requests were."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from attrs import frozen
from azure.storage.blob import BlobServiceClient, ContainerClient
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.transport import CountingTransport

from remote_store import RetryPolicy
from remote_store_azure import AsyncAzureBackend

__all__ = ["QUICK", "Flat", "flat", "gathered", "stream"]

#: Three attempts, at once.
QUICK: Final = RetryPolicy(max_attempts=3, backoff_base=0.01, jitter=0)


@frozen
class Flat:
    """
    A backend, what counts and spoils its requests, and the way past it.

    Args:
        backend: The backend.
        transport: Of its client.
        container: The plain SDK's client of the container.
    """

    backend: AsyncAzureBackend
    transport: CountingTransport
    container: ContainerClient

    def sent(self) -> list[str]:
        """Return method and kind of each request since the last call, such as ``"PUT block"``."""
        return [_kind(r.method, r.query) for r in self.transport.taken()]

    def put(self, name: str, content: bytes = b"content", **options: Any) -> None:
        """Write a blob past the backend."""
        self.container.upload_blob(name, content, overwrite=True, **options)

    def get(self, name: str) -> bytes:
        """Return the content of a blob past the backend."""
        return self.container.download_blob(name).readall()

    def names(self) -> list[str]:
        """Return the names of all blobs past the backend."""
        return list(self.container.list_blob_names())


def _kind(method: str, query: str) -> str:
    found = re.search(r"comp=(\w+)", query)
    return f"{method} {found[1]}" if found else method


@asynccontextmanager
async def flat(
    azurite: Azurite, service: BlobServiceClient, container: str, **options: Any
) -> AsyncIterator[Flat]:
    """
    Give a backend of one's own that knows that its account is flat.

    Args:
        azurite: The server.
        service: The plain SDK's client.
        container: Name of the container.
        options: Further keywords of the backend; ``client_options`` are added to ours.
    """
    transport = CountingTransport()
    ours = {"api_version": API_VERSION, "transport": transport}
    backend = AsyncAzureBackend(
        container,
        **{
            "connection_string": azurite.connection_string,
            "hns": False,
            "retry": QUICK,
            **options,
            "client_options": ours | options.get("client_options", {}),
        },
    )
    try:
        yield Flat(backend, transport, service.get_container_client(container))
    finally:
        await backend.aclose()


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield *chunks*."""
    for chunk in chunks:
        yield chunk


async def gathered(items: AsyncIterator[Any]) -> list[Any]:
    """Return all that *items* yields."""
    return [item async for item in items]
