"""
What the conformance kit checks of this plugin; imported by the kit alone.

The kit is no dependency: it hands over its own `Target` class.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote, urlsplit

from attrs import define, field, frozen

from remote_store import RetryPolicy
from remote_store.aio import AsyncBackend
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._conformance_hns import hns_target

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

__all__ = ["conformance_targets"]

#: Where the connection string of a running Azurite is looked for.
VARIABLE: Final = "REMOTE_STORE_AZURITE"
#: Newest version of the protocol that Azurite knows; the SDK's own is newer.
_VERSION: Final[dict[str, Any]] = {"api_version": "2026-06-06"}
_CONTAINER: Final = "remote-store-conformance"
_ACCOUNT: Final = re.compile(r"AccountName=([^;]+)", re.IGNORECASE)
_ENDPOINT: Final = re.compile(r"BlobEndpoint=(https?://[^;]+)", re.IGNORECASE)
_BATCH: Final = 256


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
        probe=lambda backend, scratch: _Blobs(azurite),
        secrets=azurite.secrets,
    )
    yield hns_target(target)


@define
class _Azurite:
    """
    A server, named by its connection string.

    Args:
        text: The connection string, ``""`` without one.
    """

    text: str = field(repr=False)
    _ready: bool = field(default=False, init=False)

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

    def client(self) -> ContainerClient:
        """Return a client that knows nothing of the plugin."""
        from azure.storage.blob.aio import ContainerClient

        return ContainerClient.from_connection_string(self.text, _CONTAINER, **_VERSION)

    def signed_url(self, key: str) -> str:
        """Return the URL of a blob with a signature that allows to write it for an hour."""
        from azure.storage.blob import generate_blob_sas

        name, endpoint = _ACCOUNT.search(self.text), _ENDPOINT.search(self.text)
        assert name is not None  # what it was opened with has both
        assert endpoint is not None
        signature = generate_blob_sas(
            name[1],
            _CONTAINER,
            key,
            account_key=self.secrets[0],
            permission="cw",
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        return f"{endpoint[1].rstrip('/')}/{_CONTAINER}/{quote(key, safe='~/')}?{signature}"

    @contextlib.asynccontextmanager
    async def opened(self, scratch: _Scratch) -> AsyncGenerator[AsyncBackend, None]:
        """Open a backend on the container, which is made if it is missing."""
        if self.address is None:
            msg = (
                f"no Azurite: set {VARIABLE} to the connection string of one that runs, "
                "with its BlobEndpoint"
            )
            raise RuntimeError(msg)
        if not self._ready:
            await self._make_container()
        backend = AsyncAzureBackend(
            _CONTAINER,
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
        return f"azure://{_CONTAINER}", {
            "connection_string": self.text,
            "client_options": dict(_VERSION),
        }

    async def _make_container(self) -> None:
        from azure.core.exceptions import ResourceExistsError

        async with self.client() as client:
            with contextlib.suppress(ResourceExistsError):
                await client.create_container()
        self._ready = True


@frozen
class _Blobs:
    """The way to the blobs that does not lead through the plugin: the SDK's own client."""

    azurite: _Azurite

    async def put(self, key: str, content: bytes) -> None:
        """Write a blob."""
        # By hand: thousands are written, and the SDK takes four times as long.
        import aiohttp
        from yarl import URL

        url = URL(self.azurite.signed_url(key), encoded=True)
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": _VERSION["api_version"]}
        async with (
            aiohttp.ClientSession() as session,
            session.put(url, data=content, headers=headers) as answer,
        ):
            answer.raise_for_status()

    async def plant(self, key: str, content: bytes) -> None:
        """Write a blob whose name need not be a path."""
        await self.put(key, content)

    async def get(self, key: str) -> bytes | None:
        """Return a blob's content, None where there is none."""
        from azure.core.exceptions import ResourceNotFoundError

        async with self.azurite.client() as client:
            try:
                return await (await client.download_blob(key)).readall()
            except ResourceNotFoundError:
                return None

    async def names(self, prefix: str) -> list[str]:
        """Return the names of all blobs below a folder."""
        async with self.azurite.client() as client:
            found = client.list_blob_names(name_starts_with=f"{prefix}/")
            return [name async for name in found]

    async def remove(self, prefix: str) -> None:
        """Remove all blobs below a folder."""
        names = await self.names(prefix)
        async with self.azurite.client() as client:
            for start in range(0, len(names), _BATCH):
                async for _ in await client.delete_blobs(*names[start : start + _BATCH]):
                    pass
