"""A loopback HTTP server that answers as it is told, to see what is sent and to break it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from attrs import Factory, define, frozen

from remote_store import RetryPolicy
from remote_store_azure._account import account_of
from remote_store_azure._clients import Clients

__all__ = ["KEY", "Seen", "Server", "clients_for", "reply", "scripted"]

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


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of an answer; underscores in header names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} Reason"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if not any(name.lower() == "content_length" for name in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


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


def clients_for(server: Server, **options: Any) -> Clients:
    """Return clients for a scripted account; options go where they belong."""
    where = {
        name: options.pop(name)
        for name in ("account_key", "sas_token", "credential", "connection_string")
        if name in options
    } or {"account_key": KEY}
    options.setdefault("retry", RetryPolicy(max_attempts=3, backoff_base=0.01, jitter=0))
    return Clients(account_of(container="box", account_url=server.url, **where), **options)
