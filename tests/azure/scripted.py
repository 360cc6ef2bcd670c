"""A loopback HTTP server that answers as it is told, to see what is sent and to break it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from attrs import Factory, define, evolve, frozen
from azure.storage.filedatalake.aio import FileSystemClient

from remote_store import RetryPolicy
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._connect.account import Account, account_of
from remote_store_azure._connect.options import GROWTH
from remote_store_azure._hierarchical import http_of
from remote_store_azure._http import clients as _clients
from remote_store_azure._http.session import Session
from remote_store_azure._rest.operations import DELETE_BLOB, GET_BLOB, HEAD_BLOB, PUT_BLOB
from remote_store_objects.authoring import Session as Objects
from remote_store_objects.authoring import Sizes

__all__ = [
    "KEY",
    "OPERATIONS",
    "Clients",
    "Seen",
    "Server",
    "above",
    "bare",
    "clients_for",
    "reply",
    "scripted",
    "usual",
]

#: Operations on a blob, by their method.
OPERATIONS: Final = {op.method: op for op in (DELETE_BLOB, GET_BLOB, HEAD_BLOB, PUT_BLOB)}

#: A key that looks like one.
KEY = "c2VjcmV0LWFjY291bnQta2V5LW9mLXRoaXMtdGVzdA=="


@frozen
class Seen:
    """
    A request that arrived.

    Args:
        method: Its method.
        target: Its path and query.
        headers: Its headers, names in lower case.
        body: Its whole body.
        port: The client's side of the connection.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    port: int


#: What to do with a request: bytes to answer, None to drop the connection
#: without an answer, or a function that writes by itself.
Act: TypeAlias = (
    bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None
)


@define
class Server:
    """
    Args:
        port: Where it listens.
        acts: One for each request to come, in order; the last one stays.
        seen: What arrived.
        connections: How many are open.
        arrived: Set when a request has arrived.
        listener: The socket's server; closed, it refuses connections.
    """

    port: int = 0
    acts: list[Act] = Factory(list)
    seen: list[Seen] = Factory(list)
    connections: int = 0
    arrived: asyncio.Event = Factory(asyncio.Event)
    listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The account's URL."""
        return f"http://127.0.0.1:{self.port}/acct"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self.connections -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = {n.lower(): v for n, v in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        port = writer.get_extra_info("peername")[1]
        self.seen.append(Seen(method, target, headers, body, port))
        self.arrived.set()
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        if act is None:
            return False
        if isinstance(act, bytes):
            writer.write(act)
            await writer.drain()
            return True
        await act(reader, writer)
        return False


#: What the service always sends, here with every answer of a kind.
_MARKS: Final = {"x-ms-request-id": "1f2e3d4c", "x-ms-version": "2026-06-06"}
_TIME: Final = "Fri, 19 Jun 2026 17:06:07 GMT"
_DONE: Final = {
    **_MARKS,
    "ETag": '"0x8DECD733743AE98"',
    "Last-Modified": _TIME,
    "Content-Type": "application/octet-stream",
    "x-ms-blob-type": "BlockBlob",
    "x-ms-copy-id": "5d1f",
    "x-ms-copy-status": "success",
    "x-ms-sku-name": "Standard_LRS",
    "x-ms-account-kind": "StorageV2",
}
_CODES: Final = {
    403: "AuthorizationFailure",
    404: "BlobNotFound",
    409: "BlobAlreadyExists",
    412: "ConditionNotMet",
    503: "ServerBusy",
}


def usual(etag: str) -> bytes:
    """Return the lines of an answer with content, but those about its length and range."""
    lines = _DONE | {"ETag": f'"{etag}"'}
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """
    Return the bytes of an answer of the service.

    Args:
        status: Its HTTP status.
        body: Its body.
        headers: Further ones, underscores standing for hyphens where there
            are none; they win over those that the service always sends, and
            an empty one is left out.
    """
    usual = _DONE if status < 400 else {**_MARKS, "x-ms-error-code": _CODES.get(status, "Other")}
    return bare(status, body, **_merged(usual, headers))


def bare(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of an answer with these headers, such as something in between gives."""
    lines = [f"HTTP/1.1 {status} Reason"]
    lines += [f"{_header(name)}: {value}" for name, value in headers.items()]
    if not any(_header(name).lower() == "content-length" for name in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _header(name: str) -> str:
    return name if "-" in name else name.replace("_", "-")


def _merged(usual: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, str]:
    given = {_header(name).lower(): value for name, value in headers.items()}
    merged = {name: value for name, value in usual.items() if name.lower() not in given}
    return merged | {name: value for name, value in given.items() if value}


@asynccontextmanager
async def scripted(*acts: Act) -> AsyncIterator[Server]:
    """Run a server in this loop; `Server.acts` can be changed at any time."""
    script = Server(acts=list(acts))
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.listener = server
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()


class Clients:
    """The way below a backend: what sends the requests of each loop."""

    def __init__(self, account: Account, **options: Any) -> None:
        self.made = _clients.Clients(account, **options)
        tuning = self.made.tuning
        self.backend = backend = AsyncAzureBackend("box", account_name="n", hns=False)
        backend._clients = self.made
        backend._description = evolve(backend.description, location=account.container)
        backend._retry = options.get("retry")
        backend._sizes = Sizes(
            single_put=tuning.max_single_put,
            part_size=tuning.block_size,
            growth=GROWTH,
            max_concurrency=options.get("max_concurrency", 1),
            range_size=tuning.max_chunk_get,
            first_range=tuning.max_single_get,
        )
        backend._start()

    @property
    def states(self) -> dict[Any, Any]:
        """What each loop has."""
        return self.backend._loops._states

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self.backend._loops._closed

    def running(self) -> Any:
        """Return a context manager that gives what sends the requests of the running loop."""
        return self._wire(self.backend._loops.running())

    @contextmanager
    def _wire(self, state: Any) -> Iterator[Session]:
        with state as session:
            wire = http_of(session)
            _ABOVE[wire] = session
            yield wire

    def file_system_client(self) -> Any:
        """Return the SDK's own client for the running loop."""
        return self.backend.unwrap(FileSystemClient)

    async def aclose(self) -> None:
        """Close all of them."""
        await self.backend.aclose()


#: What the toolkit has of the same loop.
_ABOVE: Final[WeakKeyDictionary[Session, Objects]] = WeakKeyDictionary()


def above(wire: Session) -> Objects:
    """Return the toolkit's session that sends by *wire*."""
    return _ABOVE[wire]


def clients_for(server: Server, **options: Any) -> Clients:
    """Return clients for a scripted account; options go where they belong."""
    where = {
        name: options.pop(name)
        for name in ("account_key", "sas_token", "credential", "connection_string")
        if name in options
    } or {"account_key": KEY}
    options.setdefault("retry", RetryPolicy(max_attempts=3, backoff_base=0.01, jitter=0))
    return Clients(account_of(container="box", account_url=server.url, **where), **options)
