"""The proxy in front of a service: what it counts, and what it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from remote_store import BackendUnavailable, PermissionDenied, RemoteStoreError
from remote_store_conformance.targets.proxy import Fault, Wire, http_answer
from remote_store_conformance.tools.sources import pattern
from remote_store_conformance_selftest.reference_client import WireBackend
from remote_store_conformance_selftest.service import Service
from remote_store_conformance_selftest.tree import Tree

pytestmark = pytest.mark.asyncio

BIG = pattern(4 << 20)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A proxy in front of a service."""
    service = Service(Tree())
    wire = Wire(service.address)
    yield wire
    wire.close()
    service.close()


@pytest.fixture
def backend(wire: Wire) -> WireBackend:
    """A client of the service, through the proxy."""
    return WireBackend(wire.address)


async def test_it_counts_bytes_and_requests(wire: Wire, backend: WireBackend) -> None:
    """Everything that passes is counted, in its direction."""
    before = wire.read()
    await backend.write("a", BIG)
    up = wire.read() - before
    assert await backend.read_bytes("a") == BIG
    down = wire.read() - before - up

    assert len(BIG) < up.sent < len(BIG) * 1.1
    assert len(BIG) < down.received < len(BIG) * 1.1
    assert (up.requests, down.requests) == (1, 1)


async def test_a_lazy_reader_leaves_the_rest_at_the_service(
    wire: Wire, backend: WireBackend
) -> None:
    """One chunk of a large file costs little more than the chunk."""
    await backend.write("a", BIG * 4)
    before = wire.read()
    stream = backend.read("a")
    await anext(stream)
    await asyncio.sleep(0.2)
    taken = (wire.read() - before).received
    await stream.aclose()  # type: ignore[attr-defined]

    assert taken < 3 << 20


@pytest.mark.parametrize("kind", ["reset", "truncate", "stall"])
async def test_a_broken_answer_is_an_error(kind: str, wire: Wire, backend: WireBackend) -> None:
    """Half of an answer, then a fault: the client must not take it for the whole."""
    await backend.write("a", BIG)
    backend.silence = 0.5
    wire.break_with(Fault(kind, after=1 << 20))  # type: ignore[arg-type]

    with pytest.raises(BackendUnavailable):
        await backend.read_bytes("a")
    assert wire.hits == 1
    backend.silence = 20.0
    assert await backend.read_bytes("a") == BIG


async def test_a_refused_connection_and_foreign_answers(wire: Wire, backend: WireBackend) -> None:
    """The proxy can stand for a service that is down, busy, closed or mad."""
    wire.break_with(Fault("refuse"))
    with pytest.raises(BackendUnavailable):
        await backend.exists("a")
    wire.break_with(Fault("answer", answer=http_answer(503, "Busy")))
    with pytest.raises(BackendUnavailable):
        await backend.exists("a")
    wire.break_with(Fault("answer", answer=http_answer(403, "No")))
    with pytest.raises(PermissionDenied):
        await backend.exists("a")
    wire.break_with(Fault("answer", answer=b"what?\r\n\r\n"))
    with pytest.raises(RemoteStoreError):
        await backend.exists("a")

    assert await backend.exists("a") is False


async def test_a_lost_answer_comes_after_the_deed(wire: Wire, backend: WireBackend) -> None:
    """The request gets through; only its answer is lost."""
    await backend.write("a", b"x")
    wire.break_with(Fault("drop-answer"))
    with pytest.raises(BackendUnavailable):
        await backend.delete("a")
    wire.heal()

    assert await backend.exists("a") is False


async def test_a_mark_is_called_when_the_bytes_have_passed(
    wire: Wire, backend: WireBackend
) -> None:
    """The call comes during the transfer, not after it."""
    seen: list[int] = []
    start = wire.read().sent
    wire.when_passed(1 << 20, lambda: seen.append(wire.read().sent - start))
    await backend.write("a", BIG)

    assert len(seen) == 1
    assert 1 << 20 <= seen[0] < 2 << 20


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[Wire]:
    """A proxy in front of a service that keeps its connections."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        wire = Wire(("127.0.0.1", server.server_address[1]))
        yield wire
        wire.close()
        server.shutdown()
        thread.join()


def sent_through(client: socket.socket, data: bytes) -> bytes:
    """Send data, and return as much of the answer."""
    client.settimeout(5)
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        answer += client.recv(len(data))
    return answer


async def test_requests_of_a_connection_that_is_kept_are_counted(echo: Wire) -> None:
    """Clients of real services send one request after the other on a connection."""
    with socket.create_connection(echo.address) as client:
        for data in (b"GET / HTTP/1.1", b"more of its body", b"PUT / HTTP/1.1"):
            assert sent_through(client, data) == data

        assert echo.read().requests == 2
        assert echo.read().sent == echo.read().received == 14 + 16 + 14


async def test_a_cleared_wire_has_told_its_clients(echo: Wire) -> None:
    """When `clear` returns, a connection in a client's pool is seen to be closed."""
    for _ in range(20):
        with socket.create_connection(echo.address) as client:
            sent_through(client, b"GET /")
            echo.clear()
            client.setblocking(False)
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""


async def test_clear_does_not_wait_for_a_client_that_reads_no_more(echo: Wire) -> None:
    """Bytes that nobody fetches are dropped with their connection."""
    with socket.create_connection(echo.address) as client:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while client.send(b"x" * 65536):  # noqa: ASYNC110 - a full buffer sets no event
                # Until every buffer on the way is full.
                await asyncio.sleep(0.002)
        echo.clear()
        client.setblocking(True)
        client.settimeout(5)
        taken = 0
        with contextlib.suppress(ConnectionResetError):
            while data := client.recv(1 << 20):
                taken += len(data)

        assert taken < 4 << 20
