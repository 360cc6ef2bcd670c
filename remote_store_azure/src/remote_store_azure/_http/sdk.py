"""The one module that imports the SDK and aiohttp: building clients, and their pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.request import getproxies

import aiohttp
import azure.storage.blob
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest
from azure.storage.blob.aio import ContainerClient

from remote_store import BackendUnavailable, RemoteStoreError, RetryPolicy
from remote_store_azure._connect.account import Account
from remote_store_azure._http.retry import Retry
from remote_store_objects.aiohttp import sent_once

__all__ = ["bearer_of", "build_client", "build_file_system_client", "pipeline_of", "retry_of"]

_OLDEST: Final = (12, 23, 1)
#: Whom tokens are for, unless the caller says otherwise.
_AUDIENCE: Final = "https://storage.azure.com"
#: What the SDK gives the transport that it builds itself: seconds, seconds, bytes.
_CONNECTION: Final = {
    "connection_timeout": 20,
    "read_timeout": 60,
    "connection_data_block_size": 256 * 1024,
}


def pipeline_of(client: Any) -> Any:
    """
    Return the pipeline of a client of the SDK: authentication, retries, the user's policies.

    The only private name of the SDK in this plugin, and therefore in one place.

    Raises:
        BackendUnavailable: The installed SDK is too old, or has changed.
    """
    version = azure.storage.blob.__version__
    numbers = tuple(int(n) for n in version.split(".")[:3] if n.isdecimal())
    pipeline = getattr(client, "_pipeline", None)
    if numbers < _OLDEST or not hasattr(pipeline, "run"):
        oldest = ".".join(map(str, _OLDEST))
        msg = f"azure-storage-blob {version} does not work here; install {oldest} or a later 12.x"
        raise BackendUnavailable(msg)
    return pipeline


def retry_of(retry: RetryPolicy | None, options: Mapping[str, Any]) -> Any:
    """Return the retry policy for the pipeline; None leaves it to the SDK and its options."""
    if "retry_policy" in options:
        return options["retry_policy"]
    if retry is None and any(name.startswith("retry_") for name in options):
        return None
    return Retry(retry or RetryPolicy())


def build_client(account: Account, credential: Any, options: Mapping[str, Any], retry: Any) -> Any:
    """
    Return a new ContainerClient for the running loop; nothing is sent.

    Args:
        account: Where the container is.
        credential: What the SDK accepts.
        options: The caller's options for the client; a ``transport`` may be a
            function that makes one.
        retry: See `retry_of`.

    Raises:
        RuntimeError: The caller's transport is in use in another event loop.
        ValueError: The SDK refuses an option.
    """
    options = dict(options)
    options["transport"] = transport = _transport(options)
    if retry is not None:
        options["retry_policy"] = retry
    options["permit_redirects"] = False
    options.setdefault("max_single_put_size", 8 * 1024 * 1024)
    options.setdefault("max_block_size", 4 * 1024 * 1024)
    options.setdefault("min_large_block_upload_threshold", 1)
    client = ContainerClient(account.blob_url, account.container, credential=credential, **options)
    # Only now, so that an option which the SDK refuses leaves no open session.
    _connect(transport, options)
    return client


def bearer_of(credential: Any, options: Mapping[str, Any]) -> Callable[[], Awaitable[str]]:
    """
    Return what gives the value of the header ``Authorization`` for the parts of a batch.

    Args:
        credential: An async token credential.
        options: The caller's options for the client.

    Raises:
        RemoteStoreError: The credential gives none; nothing was sent.
    """
    audience = str(options.get("audience") or _AUDIENCE).rstrip("/")
    # The pipeline has another one, which it does not show; credentials keep their tokens.
    policy: Any = AsyncBearerTokenCredentialPolicy(credential, f"{audience}/.default")

    async def bearer() -> str:
        request = HttpRequest("DELETE", "https://part")
        try:
            await policy.on_request(PipelineRequest(request, PipelineContext(None)))
        except Exception as error:  # whatever a credential raises
            msg = f"The credential gives no token: {type(error).__name__}"
            raise RemoteStoreError(msg) from error
        return str(request.headers["Authorization"])

    return bearer


def build_file_system_client(
    account: Account, credential: Any, options: Mapping[str, Any], retry: Any
) -> Any:
    """Return a new FileSystemClient, for `unwrap`; see `build_client`."""
    from azure.storage.filedatalake.aio import (
        FileSystemClient,
    )  # rarely asked for

    options = {**options, "permit_redirects": False}
    if callable(options.get("transport")):
        options["transport"] = options["transport"]()
    if retry is not None:
        options["retry_policy"] = retry
    return FileSystemClient(account.dfs_url, account.container, credential=credential, **options)


def _transport(options: dict[str, Any]) -> Any:
    transport: Any = options.pop("transport", None)
    if transport is None:
        transport = AioHttpTransport(**{**_CONNECTION, **options})
    elif callable(transport):
        transport = transport()
    loop = asyncio.get_running_loop()
    if getattr(transport, "session", None) is not None and (
        getattr(transport, "remote_store_loop", loop) is not loop
    ):
        msg = (
            "the transport in client_options serves another event loop; pass a function that "
            "returns a new one to use the backend in several loops"
        )
        raise RuntimeError(msg)
    return transport


def _connect(transport: Any, options: Mapping[str, Any]) -> None:
    """Give a transport of the SDK's kind a session, unless it has one of its own."""
    ours: type[Any] = AioHttpTransport  # exported without its type
    if isinstance(transport, ours) and transport.session is None:
        transport.session = _session(options)
        # An attribute of ours on the caller's object, to know whose loop it serves.
        transport.remote_store_loop = asyncio.get_running_loop()


def _session(options: Mapping[str, Any]) -> aiohttp.ClientSession:
    """Return a session as the SDK's transport would make it, but one that repeats nothing."""
    # With trust_env aiohttp goes to a thread twice for each request, to look
    # for a proxy and for .netrc, which has nothing that the service accepts.
    trust_env = options.get("use_env_settings", True) and bool(getproxies())
    return aiohttp.ClientSession(
        connector=_Connector(),
        trust_env=trust_env,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        middlewares=(sent_once,),
    )


class _Connector(aiohttp.TCPConnector):
    """
    A pool whose close really closes.

    A request that is cancelled while it sends leaves its connection to itself
    until the service has read what was buffered, which may be never: aiohttp
    forgets such connections, and would wait for others of the kind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.opened: set[asyncio.BaseTransport] = set()

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Return a connection, new or used before."""
        connection = await super().connect(*args, **options)
        transport = connection.transport
        if transport is not None and transport not in self.opened:
            self.opened = {t for t in self.opened if not _is_closed(t)}
            self.opened.add(transport)
        return connection

    def close(self, **options: Any) -> Any:
        """Close all connections, those in use and forgotten ones included."""
        closing = super().close(**options)
        for transport in self.opened:
            # One that has ended by itself cannot be aborted any more.
            if isinstance(transport, asyncio.WriteTransport) and not _is_closed(transport):
                transport.abort()
        self.opened.clear()
        return closing


def _is_closed(transport: asyncio.BaseTransport) -> bool:
    socket = transport.get_extra_info("socket")
    return socket is None or socket.fileno() == -1
