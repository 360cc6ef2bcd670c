"""
The hierarchical account that the conformance kit checks; imported by the kit alone.

It is an emulator, a distribution of its own that is imported when the target
is opened.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import define, field, frozen

from remote_store import RetryPolicy
from remote_store.aio import AsyncBackend
from remote_store_azure import AsyncAzureBackend

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient
    from azure.storage.filedatalake.aio import FileSystemClient

__all__ = ["FORBIDDEN", "hns_target"]

#: What the service sends with a refusal, so that it is one and no proxy's page.
FORBIDDEN: Final = ("x-ms-request-id: 1f2e3d4c", "x-ms-error-code: AuthorizationFailure")

_HOST: Final = "127.0.0.1"
_CONTAINER: Final = "remote-store-conformance"


class _Scratch(Protocol):
    """The place that the kit gives to one run."""

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Where to connect to."""
        ...


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
        error_headers=FORBIDDEN,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


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
        running = HnsEmulator(port=self.port, key=self.key)
        running.create_filesystem(_CONTAINER)
        running.start()
        atexit.register(running.stop)
        self._running = running

    @contextlib.asynccontextmanager
    async def opened(self, scratch: _Scratch) -> AsyncGenerator[AsyncBackend, None]:
        """Open a backend, by names of hosts as a real account has them."""
        self.start()
        port = self.port if scratch.endpoint is None else scratch.endpoint[1]
        backend = AsyncAzureBackend(
            _CONTAINER,
            connection_string=(
                f"DefaultEndpointsProtocol=http;AccountName=hnsaccount;AccountKey={self.key};"
                f"EndpointSuffix=core.localhost:{port}"
            ),
            client_options={"transport": _transport},
            retry=RetryPolicy(backoff_base=0.05, jitter=0),
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
    from remote_store_azure._http.retry import answered_once

    session = aiohttp.ClientSession(
        connector=loopback_connector(), auto_decompress=False, middlewares=(answered_once,)
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
