"""
What the conformance kit checks of the azure plugin, for ``--targets`` of its command line.

A container of an Azurite that runs already, and an emulator of a hierarchical
account, which starts with its target.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import hashlib
import os
import re
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from attrs import define, field, frozen

from remote_store import Capability, CapabilitySet, RetryPolicy
from remote_store.aio import AsyncBackend
from remote_store_azure import AsyncAzureBackend

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient
    from azure.storage.filedatalake.aio import FileSystemClient

__all__ = ["conformance_targets"]

#: What the service sends with a refusal, so that it is one and no proxy's page.
FORBIDDEN: Final = ("x-ms-request-id: 1f2e3d4c", "x-ms-error-code: AuthorizationFailure")

_HOST: Final = "127.0.0.1"
_CONTAINER: Final = "remote-store-conformance"
#: Where the connection string of a running Azurite is looked for.
VARIABLE: Final = "REMOTE_STORE_AZURITE"
#: Entries of a page of a listing, and of a folder that needs a second one: the services' own
#: pages of 5,000 show no more, and Azurite takes a minute to delete so many blobs.
_PAGE: Final = 500
_MORE_THAN_A_PAGE: Final = 600
#: Bytes up to which a file is written in one piece, and of the pieces of longer ones.
_PART: Final = 1 << 20
_PARTS: Final[dict[str, Any]] = {"max_single_put_size": _PART, "max_block_size": _PART}
_RETRY: Final = RetryPolicy(backoff_base=0.01, jitter=0)
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
        max_list=_MORE_THAN_A_PAGE,
        part_size=_PART,
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
            client_options={**_VERSION, **_PARTS, "raw_request_hook": _short_pages},
            retry=_RETRY,
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


def _short_pages(request: Any) -> None:
    """Ask for short pages, before a request is signed."""
    sent = request.http_request
    if "comp=list" in sent.url and "maxresults=" not in sent.url:
        sent.url += f"&maxresults={_PAGE}"


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


# The emulator of a hierarchical account ---------------------------------------


def hns_target(target: Callable[..., Any]) -> Any:
    """
    Return the target of an emulator of the plugin's own.

    Args:
        target: The kit's class of targets.
    """
    emulator = _Emulator()
    return target(
        name="azure:hns",
        open=emulator.opened,
        environment="emulator",
        endpoint=(_HOST, emulator.port),
        url=emulator.url,
        probe=lambda backend, scratch: _Files(emulator.text(emulator.port)),
        secrets=(emulator.key,),
        max_list=_MORE_THAN_A_PAGE,
        part_size=_PART,
        error_headers=FORBIDDEN,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class _Emulated(AsyncAzureBackend):
    """Without what the emulator cannot show: it knows no signatures in URLs, and no names."""

    @property
    def capabilities(self) -> CapabilitySet:
        return CapabilitySet(super().capabilities - {Capability.SIGNED_URL})

    signed_url = AsyncBackend.signed_url


@define
class _Emulator:
    """
    An emulator in a thread of this process, from the first use to the end of the process.

    Args:
        port: Where it listens.
        key: Of its account.
    """

    port: int = field(factory=_free_port)
    key: str = field(factory=lambda: base64.b64encode(os.urandom(64)).decode(), repr=False)
    _running: Any = field(default=None, init=False)

    def text(self, port: int) -> str:
        """Return a connection string that needs no resolver of names."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName=hnsaccount;AccountKey={self.key};"
            f"BlobEndpoint=http://{_HOST}:{port}/hnsaccount"
        )

    def start(self) -> None:
        """
        Start it if it does not run.

        Raises:
            RuntimeError: It is not installed.
        """
        if self._running is not None:
            return
        try:
            from hns_emulator import HnsEmulator
        except ImportError as error:
            msg = "no emulator: pip install remote-store-hns-emulator"
            raise RuntimeError(msg) from error
        running = HnsEmulator(port=self.port, key=self.key, page_cap=_PAGE)
        running.create_filesystem(_CONTAINER)
        running.start()
        atexit.register(running.stop)
        self._running = running

    @contextlib.asynccontextmanager
    async def opened(self, scratch: _Scratch) -> AsyncGenerator[AsyncBackend, None]:
        """Open a backend, by names of hosts as a real account has them."""
        self.start()
        port = self.port if scratch.endpoint is None else scratch.endpoint[1]
        backend = _Emulated(
            _CONTAINER,
            connection_string=(
                f"DefaultEndpointsProtocol=http;AccountName=hnsaccount;AccountKey={self.key};"
                f"EndpointSuffix=core.localhost:{port}"
            ),
            client_options={**_PARTS, "transport": _transport},
            retry=_RETRY,
            hns=True,
        )
        try:
            yield backend
        finally:
            await backend.aclose()

    def url(self, scratch: _Scratch) -> tuple[str, dict[str, Any]]:
        """Return how another process opens the same container."""
        port = self.port if scratch.endpoint is None else scratch.endpoint[1]
        return f"azure://{_CONTAINER}", {"connection_string": self.text(port), "hns": True}


def _transport() -> Any:
    import aiohttp
    from azure.core.pipeline.transport import AioHttpTransport

    from hns_emulator import loopback_connector
    from remote_store_objects.aiohttp import sent_once

    session = aiohttp.ClientSession(
        connector=loopback_connector(), auto_decompress=False, middlewares=(sent_once,)
    )
    return AioHttpTransport(session=session, session_owner=True)


@frozen
class _Files:
    """The way to the files that does not lead through the plugin: the SDK's own clients."""

    text: str = field(repr=False)

    def _blobs(self) -> ContainerClient:
        from azure.storage.blob.aio import ContainerClient

        return ContainerClient.from_connection_string(self.text, _CONTAINER)

    def _lake(self) -> FileSystemClient:
        from azure.storage.filedatalake.aio import FileSystemClient

        return FileSystemClient.from_connection_string(self.text, _CONTAINER)

    async def put(self, key: str, content: bytes) -> None:
        """Write a file."""
        async with self._blobs() as client:
            await client.upload_blob(key, content, overwrite=True)

    async def get(self, key: str) -> bytes | None:
        """Return a file's content, None where there is none."""
        from azure.core.exceptions import ResourceNotFoundError

        async with self._blobs() as client:
            try:
                found = await client.download_blob(key)
            except ResourceNotFoundError:
                return None
            if (found.properties.metadata or {}).get("hdi_isfolder"):
                return None
            return await found.readall()

    async def names(self, prefix: str) -> list[str]:
        """Return the keys of all files below a folder."""
        async with self._blobs() as client:
            found = client.list_blobs(name_starts_with=f"{prefix}/", include=["metadata"])
            return [
                blob.name async for blob in found if not (blob.metadata or {}).get("hdi_isfolder")
            ]

    async def remove(self, prefix: str) -> None:
        """Remove a folder."""
        from azure.core.exceptions import ResourceNotFoundError

        async with self._lake() as client:
            with contextlib.suppress(ResourceNotFoundError):
                await client.delete_directory(prefix)
