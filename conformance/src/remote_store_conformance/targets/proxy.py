"""
A loopback proxy in front of a target's service.

It counts what passes, and on request it breaks the traffic: refuses, resets,
stalls, cuts short, answers for the service. It runs in a thread and loop of
its own, so that no check can hold it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Literal, TypeAlias

from attrs import define, evolve, field, frozen

from remote_store_conformance.targets.target import Traffic

__all__ = ["Fault", "Wire"]

#: Bytes of a socket's buffers: small ones, so that what a lazy reader did not
#: ask for stays at the service instead of in the kernel.
_BUFFER: Final = 1 << 16

_METHODS: Final = (b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE ", b"PATCH ", b"OPTIONS ")

Kind: TypeAlias = Literal["refuse", "reset", "stall", "truncate", "answer", "drop-answer"]


@frozen
class Fault:
    """
    Something that goes wrong.

    Args:
        kind: ``"refuse"``: connections are closed at once. ``"reset"``: the
            connection is reset. ``"stall"``: nothing passes any more, the
            connection stays open. ``"truncate"``: the connection is closed in
            the regular way. ``"answer"``: *answer* is sent instead of asking
            the service. ``"drop-answer"``: the request gets through, the
            connection is reset instead of its answer.
        direction: Which bytes are counted: ``"up"`` from the backend to the
            service, ``"down"`` back.
        after: Bytes that pass before it happens, on each connection.
        times: Connections (or, for an answer, requests) that it happens to.
        answer: The bytes of an answer.
        skip: Requests (for ``"answer"``) or answers (for ``"drop-answer"``)
            that pass before it happens, on all connections together.
        meanwhile: Called when it happens, in the proxy's thread; it shows to the
            backend only after the end of what this begins.
    """

    kind: Kind
    direction: Literal["up", "down"] = "down"
    after: int = 0
    times: int = 1
    answer: bytes = b""
    skip: int = 0
    meanwhile: Callable[[], Future[Any]] | None = None


def http_answer(status: int, reason: str, body: bytes = b"", *headers: str) -> bytes:
    """Return an HTTP answer that ends the connection."""
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@define(eq=False)
class Wire:
    """
    The proxy; also a meter.

    Args:
        upstream: Host and port of the service.
    """

    upstream: tuple[str, int]
    address: tuple[str, int] = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False, factory=asyncio.new_event_loop)
    _traffic: Traffic = field(init=False, factory=lambda: Traffic(0, 0, 0))
    _fault: Fault | None = field(init=False, default=None)
    _hits: int = field(init=False, default=0)
    _passed: int = field(init=False, default=0)
    _thread: threading.Thread = field(init=False)
    _server: asyncio.Server = field(init=False)
    _writers: set[asyncio.StreamWriter] = field(init=False, factory=set)
    _links: set[asyncio.Task[None]] = field(init=False, factory=set)
    _marks: list[tuple[int, Callable[[], object]]] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._loop.run_forever, name="kit-wire", daemon=True)
        self._thread.start()
        self._server = self._ask(self._listen())
        self.address = self._server.sockets[0].getsockname()[:2]

    def _ask(self, work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(10)

    async def _listen(self) -> asyncio.Server:
        listener = socket.socket()
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            listener.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        listener.bind(("127.0.0.1", 0))
        return await asyncio.start_server(self._accept, sock=listener, limit=_BUFFER)

    # For checks ------------------------------------------------------------

    def read(self) -> Traffic:
        """Return the totals so far; requests are those of HTTP."""
        return self._traffic

    def break_with(self, fault: Fault) -> None:
        """Let *fault* happen from now on, also on connections that are open already."""
        self._hits = self._passed = 0
        self._fault = fault

    def heal(self) -> None:
        """End the fault; connections that stall go on stalling until they are closed."""
        self._fault = None

    @property
    def hits(self) -> int:
        """How often the fault has happened."""
        return self._hits

    def when_passed(self, size: int, call: Callable[[], object]) -> None:
        """Call *call*, in the proxy's thread, once *size* more bytes have passed either way."""
        total = self._traffic.sent + self._traffic.received
        self._marks.append((total + size, call))

    def clear(self) -> None:
        """End the fault, forget the marks and close all connections."""
        self.heal()
        self._marks.clear()

        self._ask(self._drop())

    def close(self) -> None:
        """Stop the proxy and end its thread."""

        async def stop() -> None:
            self._server.close()
            await self._drop()

        self._ask(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _drop(self) -> None:
        links = set(self._links)
        for writer in list(self._writers):
            # Not `close`: it would wait for a client that reads no more.
            writer.transport.abort()
        for task in links:
            task.cancel()
        if links:
            await asyncio.wait(links)

    # The traffic -----------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            fault = self._due("refuse")
            if fault is not None:
                self.hit()
                _reset(writer)
                return
            there_reader, there_writer = await asyncio.open_connection(
                *self.upstream, limit=_BUFFER
            )
            self._writers.add(there_writer)
            try:
                link = _Link(self, reader, writer, there_reader, there_writer)
                await link.run()
            finally:
                self._writers.discard(there_writer)
                there_writer.close()
        except OSError:
            _reset(writer)
        except asyncio.CancelledError:
            # From `_drop`; the callback of asyncio's streams would log it.
            pass
        finally:
            self._links.discard(task)
            self._writers.discard(writer)
            writer.close()

    def _due(self, *kinds: Kind) -> Fault | None:
        """Return the fault if it is one of *kinds* and may happen once more."""
        fault = self._fault
        if fault is None or fault.kind not in kinds or self._hits >= fault.times:
            return None
        return fault

    def hit(self) -> None:
        """Note that the fault happened."""
        self._hits += 1

    def skips(self, fault: Fault) -> bool:
        """Count a request or an answer, and return True if it still passes."""
        self._passed += 1
        return self._passed <= fault.skip

    def fault(self) -> Fault | None:
        """Return the fault that may happen on an open connection."""
        return self._due("reset", "stall", "truncate", "answer", "drop-answer")

    def count(self, direction: str, data: bytes) -> None:
        """Count bytes that passed, and the requests that begin in them."""
        traffic = self._traffic
        if direction == "up":
            requests = (traffic.requests or 0) + data.startswith(_METHODS)
            traffic = evolve(traffic, sent=traffic.sent + len(data), requests=requests)
        else:
            traffic = evolve(traffic, received=traffic.received + len(data))
        self._traffic = traffic
        total = traffic.sent + traffic.received
        for mark in [m for m in self._marks if m[0] <= total]:
            self._marks.remove(mark)
            mark[1]()


@define(eq=False)
class _Link:
    """One connection, both ways."""

    wire: Wire
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    there_reader: asyncio.StreamReader
    there_writer: asyncio.StreamWriter
    _passed: dict[str, int] = field(init=False, factory=lambda: {"up": 0, "down": 0})

    async def run(self) -> None:
        up = asyncio.ensure_future(self._pump("up", self.reader, self.there_writer))
        down = asyncio.ensure_future(self._pump("down", self.there_reader, self.writer))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            # The service may still be answering a request that has ended.
            if up.done() and not up.exception() and up.result():
                await down
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.wait({up, down})
            for task in (up, down):
                if not task.cancelled():
                    task.exception()

    async def _pump(
        self, direction: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> bool:
        """Pass bytes on; True at the regular end, False where a fault ended it."""
        while data := await source.read(_BUFFER):
            if direction == "up" or self._passed["up"]:
                data, over = self._cut(direction, data)
                if data:
                    self._passed[direction] += len(data)
                    self.wire.count(direction, data)
                    sink.write(data)
                    await sink.drain()
                if over is not None:
                    await self._break(over)
                    return False
        with contextlib.suppress(OSError):
            if sink.can_write_eof():
                sink.write_eof()
        return True

    def _cut(self, direction: str, data: bytes) -> tuple[bytes, Fault | None]:
        """Return what still passes, and the fault that comes then."""
        fault = self.wire.fault()
        if fault is None:
            return data, None
        kind = fault.kind
        if kind in ("answer", "drop-answer"):
            begins = ("up", _METHODS) if kind == "answer" else ("down", b"HTTP/")
            if direction != begins[0] or not data.startswith(begins[1]) or self.wire.skips(fault):
                return data, None
            return b"", fault
        if direction != fault.direction or self._passed[direction] + len(data) <= fault.after:
            return data, None
        return data[: max(0, fault.after - self._passed[direction])], fault

    async def _break(self, fault: Fault) -> None:
        self.wire.hit()
        if fault.meanwhile is not None:
            await asyncio.wrap_future(fault.meanwhile())
        if fault.kind == "stall":
            await asyncio.Event().wait()
        elif fault.kind == "answer":
            self.writer.write(fault.answer)
            with contextlib.suppress(OSError):
                await self.writer.drain()
            self.writer.close()
        elif fault.kind == "truncate":
            self.writer.close()
        else:
            _reset(self.writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other side sees a reset."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
