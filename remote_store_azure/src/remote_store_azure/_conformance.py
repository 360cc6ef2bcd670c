"""
What the conformance kit checks of this plugin; imported by the kit alone.

The kit is no dependency: it hands over its own `Target` class.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from attrs import define, field, frozen

from remote_store import RetryPolicy
from remote_store.aio import AsyncBackend
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._conformance_hns import FORBIDDEN, hns_target

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

__all__ = ["conformance_targets"]

#: Where the connection string of a running Azurite is looked for.
VARIABLE: Final = "REMOTE_STORE_AZURITE"
#: Newest version of the protocol that Azurite knows; the SDK's own is newer.
_VERSION: Final[dict[str, Any]] = {"api_version": "2026-06-06"}
_ENDPOINT: Final = re.compile(r"BlobEndpoint=(https?://[^;]+)", re.IGNORECASE)


class _Scratch(Protocol):
    """The place that the kit gives to one run."""

    @property
    def prefix(self) -> str:
        """Folder of the run's store."""
        ...

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Where to connect to."""
        ...


def conformance_targets(config: Mapping[str, str], target: Callable[..., Any]) -> Iterator[Any]:
    """
    Offer a container of an Azurite that runs already, and an emulator of a hierarchical account.

    Args:
        config: ``azurite``: its connection string; else the environment
            variable ``REMOTE_STORE_AZURITE`` has it.
        target: The kit's class of targets.
    """
    azurite = _Azurite(config.get("azurite") or os.environ.get(VARIABLE, ""))
    yield target(
        name="azure:azurite",
        open=azurite.opened,
        environment="emulator",
        hierarchical=False,
        endpoint=azurite.address,
        url=azurite.url,
        probe=lambda backend, scratch: _Blobs(azurite, _container_of(scratch)),
        secrets=azurite.secrets,
        error_headers=FORBIDDEN,
    )
    yield hns_target(target)


def _container_of(scratch: _Scratch) -> str:
    """
    Return the name of a run's own container.

    Removing a container is quick; Azurite takes two minutes for five thousand
    blobs one by one.
    """
    return f"conform-{hashlib.sha256(scratch.prefix.encode()).hexdigest()[:32]}"


@define
class _Azurite:
    """
    A server, named by its connection string.

    Args:
        text: The connection string, ``""`` without one.
    """

    text: str = field(repr=False)
    _made: set[str] = field(factory=set, init=False)

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of the Blob service."""
        found = _ENDPOINT.search(self.text)
        if found is None:
            return None
        parts = urlsplit(found[1])
        return parts.hostname or "127.0.0.1", parts.port or 80

    @property
    def secrets(self) -> tuple[str, ...]:
        """The account key."""
        found = re.search("AccountKey=([^;]+)", self.text)
        return (found[1],) if found else ()

    def text_through(self, endpoint: tuple[str, int] | None) -> str:
        """Return the connection string that leads through a proxy."""
        found = _ENDPOINT.search(self.text)
        if found is None or endpoint is None:
            return self.text
        through = urlsplit(found[1])._replace(netloc=f"{endpoint[0]}:{endpoint[1]}").geturl()
        return self.text.replace(found[1], through)

    def client(self, container: str) -> ContainerClient:
        """Return a client that knows nothing of the plugin."""
        from azure.storage.blob.aio import ContainerClient

        return ContainerClient.from_connection_string(self.text, container, **_VERSION)

    @contextlib.asynccontextmanager
    async def opened(self, scratch: _Scratch) -> AsyncGenerator[AsyncBackend, None]:
        """Open a backend on the run's container, which is made if it is missing."""
        if self.address is None:
            msg = (
                f"no Azurite: set {VARIABLE} to the connection string of one that runs, "
                "with its BlobEndpoint"
            )
            raise RuntimeError(msg)
        container = _container_of(scratch)
        if container not in self._made:
            await self._make(container)
        backend = AsyncAzureBackend(
            container,
            connection_string=self.text_through(scratch.endpoint),
            client_options=dict(_VERSION),
            retry=RetryPolicy(backoff_base=0.05, jitter=0),
        )
        try:
            yield backend
        finally:
            await backend.aclose()

    def url(self, scratch: _Scratch) -> tuple[str, dict[str, Any]]:
        """Return how another process opens the same container."""
        return f"azure://{_container_of(scratch)}", {
            "connection_string": self.text,
            "client_options": dict(_VERSION),
        }

    async def _make(self, container: str) -> None:
        from azure.core.exceptions import ResourceExistsError

        async with self.client(container) as client:
            with contextlib.suppress(ResourceExistsError):
                await client.create_container()
        self._made.add(container)

    async def remove(self, container: str) -> None:
        """Remove a run's container with all that is in it."""
        self._made.discard(container)
        async with self.client(container) as client:
            await client.delete_container()


@frozen
class _Blobs:
    """The way to the blobs that does not lead through the plugin: the SDK's own client."""

    azurite: _Azurite
    container: str

    async def put(self, key: str, content: bytes) -> None:
        """Write a blob."""
        async with self.azurite.client(self.container) as client:
            await client.upload_blob(key, content, overwrite=True)

    async def plant(self, key: str, content: bytes) -> None:
        """Write a blob whose name need not be a path."""
        await self.put(key, content)

    async def get(self, key: str) -> bytes | None:
        """Return a blob's content, None where there is none."""
        from azure.core.exceptions import ResourceNotFoundError

        async with self.azurite.client(self.container) as client:
            try:
                return await (await client.download_blob(key)).readall()
            except ResourceNotFoundError:
                return None

    async def names(self, prefix: str) -> list[str]:
        """Return the names of all blobs below a folder."""
        async with self.azurite.client(self.container) as client:
            found = client.list_blob_names(name_starts_with=f"{prefix}/")
            return [name async for name in found]

    async def remove(self, prefix: str) -> None:
        """Remove all blobs of the run, whose folder is the only one in its container."""
        await self.azurite.remove(self.container)
