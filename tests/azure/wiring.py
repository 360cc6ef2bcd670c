"""A wire to a container of Azurite, for tests below the backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from attrs import frozen
from azure.core.exceptions import ServiceResponseError
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.scripted import Clients, above
from tests.azure.transport import CountingTransport

from remote_store import RetryPolicy
from remote_store_azure._connect.account import account_of
from remote_store_azure._http.session import Session
from remote_store_objects import Attributes, Written
from remote_store_objects._reading.read import open_reading
from remote_store_objects._writing.write import write
from remote_store_objects.authoring import Reading

__all__ = ["MIB", "BlobReader", "Wired", "chunked", "lose", "say", "upload", "wired"]

MIB: Final = 1 << 20
#: Three attempts, at once.
QUICK: Final = RetryPolicy(max_attempts=3, backoff_base=0.01, jitter=0)


@frozen
class Wired:
    """A wire, and what counts and spoils its requests."""

    wire: Session
    transport: CountingTransport

    def sent(self) -> list[tuple[str, str, int | None]]:
        """Return method, kind and status of what was sent since the last call."""
        return [(r.method, _kind(r.query), r.status) for r in self.transport.taken()]


def _kind(query: str) -> str:
    found = dict(part.partition("=")[::2] for part in query.split("&"))
    return found.get("comp", "")


@asynccontextmanager
async def wired(
    azurite: Azurite,
    container: str,
    *,
    max_concurrency: int = 1,
    retry: RetryPolicy = QUICK,
    port: int | None = None,
    sas_token: str | None = None,
    **options: Any,
) -> AsyncIterator[Wired]:
    """
    Give a wire of one's own.

    Args:
        azurite: The server.
        container: Name of the container.
        max_concurrency: Of the wire.
        retry: How patiently failures are met.
        port: Of a proxy to go through.
        sas_token: Instead of the account's key.
        options: For the SDK's client.
    """
    transport = CountingTransport()
    port = port or azurite.port
    if sas_token is None:
        secret = azurite.connection_string_through(port)
        account = account_of(container=container, connection_string=secret)
    else:
        url = azurite.url_through(port)
        account = account_of(container=container, account_url=url, sas_token=sas_token)
    clients = Clients(
        account,
        retry=retry,
        client_options={"api_version": API_VERSION, "transport": transport} | options,
        max_concurrency=max_concurrency,
    )
    try:
        with clients.running() as wire:
            yield Wired(wire, transport)
    finally:
        await clients.aclose()


async def chunked(content: bytes, size: int) -> AsyncIterator[bytes]:
    """Yield *content* in chunks of *size* bytes."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def lose(found: Wired, wanted: Callable[[str, str], bool], times: int = 1) -> None:
    """Lose the first answers to requests of which *wanted*, given method and kind, is true."""
    left = iter(range(times))

    async def after(request: Any, answer: Any) -> Any:
        kind = _kind(request.url.partition("?")[2])
        if wanted(request.method, kind) and next(left, None) is not None:
            await answer.close()
            msg = "the answer was lost"
            raise ServiceResponseError(msg)
        return answer

    found.transport.after = after


def say(
    found: Wired, wanted: Callable[[str, str], bool], status: int, code: str, times: int = 1
) -> None:
    """Let the first answers to requests of which *wanted* is true be an error of the service."""
    left: Iterator[int] = iter(range(times))

    async def after(request: Any, answer: Any) -> Any:
        kind = _kind(request.url.partition("?")[2])
        if wanted(request.method, kind) and next(left, None) is not None:
            answer.status_code = status
            answer.headers["x-ms-error-code"] = code
        return answer

    found.transport.after = after


async def upload(
    wire: Session,
    key: str,
    content: bytes | AsyncIterator[bytes],
    *,
    exclusive: bool,
    metadata: Mapping[str, str] | None,
    content_type: str | None = None,
) -> tuple[Written, int]:
    """Write a blob by the toolkit."""
    attributes = Attributes(content_type, metadata or {})
    return await write(above(wire), key, content, exclusive=exclusive, attributes=attributes)


class BlobReader:
    """An iterator over what the toolkit reads of a blob, asked for at the first pull."""

    def __init__(self, wire: Session, key: str) -> None:
        self._wire = wire
        self._key = key
        self._reading: Reading | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            if self._reading is None:
                self._reading = await open_reading(above(self._wire), self._key)
            piece = await self._reading.receive()
        except BaseException:
            await self.aclose()
            raise
        if not piece:
            await self.aclose()
            raise StopAsyncIteration
        return piece

    async def read_all(self) -> bytes:
        """Return all of it."""
        return await (await open_reading(above(self._wire), self._key)).content()

    async def aclose(self) -> None:
        """Give up the rest."""
        if self._reading is not None:
            await self._reading.aclose()
