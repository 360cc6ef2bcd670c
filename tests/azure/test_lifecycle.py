"""Closing: what runs is waited for, then ended; nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.scripted import Act, Server, clients_for, reply, scripted

from remote_store import RetryPolicy, StoreClosed
from remote_store_azure._http import sdk as _sdk
from remote_store_azure._rest.operations import GET_BLOB, PUT_BLOB
from remote_store_objects._session import loops as _loops

#: No connection is taken.
NEVER = b""


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> float:
    """Wait less than five seconds for running calls."""
    monkeypatch.setattr(_loops, "_GRACE", 0.3)
    return 0.3


async def call(clients: Any, **options: Any) -> Any:
    with clients.running() as wire:
        return await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x", **options)


def test_grace() -> None:
    """Running calls get five seconds."""
    assert _loops._GRACE == 5.0


@pytest.mark.asyncio
async def test_idempotent_and_final() -> None:
    """Closing twice is fine; afterwards, and without ever being used, calls are refused."""
    async with scripted(reply(201)) as server:
        for used in (False, True):
            clients = clients_for(server)
            if used:
                await call(clients)
            await clients.aclose()
            await clients.aclose()
            assert clients.closed
            with pytest.raises(StoreClosed, match="is closed"):
                clients.running()


@pytest.mark.asyncio
async def test_no_connection_afterwards() -> None:
    """After a close no connection is open, idle ones included."""
    async with scripted(reply(201)) as server:
        clients = clients_for(server)
        await asyncio.gather(*(call(clients) for _ in range(5)))
        assert server.connections > 0
        await clients.aclose()
        for _ in range(50):
            if not server.connections:
                break
            await asyncio.sleep(0.01)
        assert server.connections == 0


@pytest.mark.asyncio
async def test_waits_for_running_calls() -> None:
    """A call that is running when the close begins ends as if nothing had happened."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(reply(201))
        await writer.drain()

    async with scripted(slow) as server:
        clients = clients_for(server)
        running = asyncio.create_task(call(clients))
        await server.arrived.wait()
        closing = asyncio.create_task(clients.aclose())
        await asyncio.sleep(0.05)
        with pytest.raises(StoreClosed):
            await call(clients)
        assert not closing.done()
        assert (await running).status == 201
        await asyncio.wait_for(closing, 15)


@pytest.mark.asyncio
async def test_two_closes_at_a_time() -> None:
    """Two closes wait for the same call, and both return when it is over."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(reply(201))
        await writer.drain()

    async with scripted(slow) as server:
        clients = clients_for(server)
        running = asyncio.create_task(call(clients))
        await server.arrived.wait()
        async with asyncio.timeout(2):
            await asyncio.gather(clients.aclose(), clients.aclose())
        assert (await running).status == 201


@pytest.mark.asyncio
async def test_closed_while_a_client_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A close that comes while another thread builds its client leaves no usable client."""
    async with scripted(reply(201)) as server:
        clients = clients_for(server)
        build = _sdk.build_client
        made: list[Any] = []

        def building(*args: Any) -> Any:
            made.append(build(*args))
            closing = threading.Thread(target=asyncio.run, args=(clients.aclose(),))
            closing.start()
            closing.join()
            return made[-1]

        monkeypatch.setattr(_sdk, "build_client", building)
        with pytest.raises(StoreClosed):
            clients.running()
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)
        assert made[0]._pipeline._transport.session is None


@pytest.mark.asyncio
async def test_ends_what_does_not_end(short_grace: float) -> None:
    """A call that does not end in time gets StoreClosed and sends nothing more; its task lives."""
    async with scripted(stall) as server:
        clients = clients_for(server)
        outcome = []

        async def main() -> str:
            try:
                await call(clients)
            except StoreClosed as error:
                outcome.append(error)
            await asyncio.sleep(0)  # a cancellation left behind would strike here
            return "alive"

        running = asyncio.create_task(main())
        await server.arrived.wait()
        start = time.monotonic()
        await clients.aclose()
        assert short_grace <= time.monotonic() - start < 15
        assert await running == "alive"
        assert running.cancelling() == 0
        assert outcome[0].path == "k"
        assert outcome[0].outcome_unknown
        assert len(server.seen) == 1


@pytest.mark.long
@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("act", "unknown"), [(NEVER, False), (reply(503), False), (reply(504), True), (None, True)]
)
async def test_ends_a_wait_between_attempts(short_grace: float, act: Act, unknown: bool) -> None:
    """A call that waits to try again is ended too, and says what its attempts may have done."""
    async with scripted(act) as server:
        if act == NEVER:
            assert server.listener is not None
            server.listener.close()
        clients = clients_for(server, retry=RetryPolicy(backoff_base=30))
        running = asyncio.create_task(call(clients))
        await asyncio.wait({running}, timeout=short_grace)
        await asyncio.wait_for(clients.aclose(), 5)
        with pytest.raises(StoreClosed) as caught:
            await running
        assert len(server.seen) == (act != NEVER)
    assert caught.value.outcome_unknown is unknown


@pytest.mark.asyncio
async def test_cancelled_while_closing(short_grace: float) -> None:
    """A task that its owner cancels gets CancelledError, also when the close ends it."""
    async with scripted(stall) as server:
        clients = clients_for(server)
        running = asyncio.create_task(call(clients))
        await server.arrived.wait()
        closing = asyncio.create_task(clients.aclose())
        await asyncio.sleep(short_grace / 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await closing


@pytest.mark.asyncio
async def test_stream_of_a_closed_backend(short_grace: float) -> None:
    """A read that is left half done raises StoreClosed when it is resumed."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"", Content_Length=str(1 << 40)))
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()

    async with scripted(endless) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            streaming = await wire.stream(GET_BLOB, wire.url("k"), path="k")
            async with aclosing(streaming) as chunks:
                assert await anext(chunks)
                await clients.aclose()
                with pytest.raises(StoreClosed):
                    await anext(chunks)
        assert server.connections == 0


@pytest.mark.asyncio
async def test_callers_own_wait_is_left_alone(short_grace: float) -> None:
    """A call that waits for the caller's content is not cancelled; its next request is refused."""
    async with scripted(reply(201)) as server:
        clients = clients_for(server)
        content: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def main() -> None:
            with clients.running() as wire:
                await wire.send(PUT_BLOB, wire.url("k"), path="k", body=await content)

        running = asyncio.create_task(main())
        await asyncio.sleep(0)
        await clients.aclose()
        assert not running.done()
        content.set_result(b"x")
        with pytest.raises(StoreClosed):
            await running
        assert server.seen == []


@pytest.mark.asyncio
async def test_cancel_leaves_no_connection_in_use() -> None:
    """A cancelled request drops its connection, and leaves no task behind."""
    async with scripted(stall) as server:
        clients = clients_for(server)
        before = asyncio.all_tasks()
        running = asyncio.create_task(call(clients))
        await server.arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        for _ in range(50):
            if not server.connections:
                break
            await asyncio.sleep(0.01)
        assert server.connections == 0
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() <= before
        await clients.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize("cancelled", [True, False])
async def test_unsent_bytes_hold_no_connection(short_grace: float, cancelled: bool) -> None:
    """A connection whose service reads nothing is closed too, with what was not sent yet."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        try:
            await released.wait()
        finally:
            writer.close()

    arrived, released = asyncio.Event(), asyncio.Event()
    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    clients = clients_for(Server(port=server.sockets[0].getsockname()[1]))
    with clients.running() as wire:
        connector = wire.client._pipeline._transport.session.connector
    body = bytes(16_000_000)

    async def main() -> None:
        with clients.running() as wire:
            await wire.send(PUT_BLOB, wire.url("k"), path="k", body=body)

    running = asyncio.create_task(main())
    await arrived.wait()
    await asyncio.sleep(0.2)
    (transport,) = connector.opened
    assert transport.get_write_buffer_size() > 0
    if cancelled:
        running.cancel()
        await asyncio.wait([running])
    await asyncio.wait_for(clients.aclose(), 3)
    with pytest.raises(asyncio.CancelledError if cancelled else StoreClosed):
        await running
    assert transport.get_extra_info("socket").fileno() == -1
    released.set()
    server.close()


@pytest.mark.asyncio
async def test_a_connection_that_ended_by_itself() -> None:
    """One that was closed with unsent data, and has sent it since, does not disturb a close."""
    arrived, released, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await released.wait()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(late, "127.0.0.1", 0)
    clients = clients_for(Server(port=server.sockets[0].getsockname()[1]))
    with clients.running() as wire:
        session = wire.client._pipeline._transport.session
        running = asyncio.create_task(
            wire.send(PUT_BLOB, wire.url("k"), path="k", body=bytes(16_000_000))
        )
        await arrived.wait()
        await asyncio.sleep(0.2)
        (transport,) = session.connector.opened
        running.cancel()
        await asyncio.wait([running])
    assert transport.is_closing()
    assert transport.get_write_buffer_size() > 0
    released.set()
    while transport.get_extra_info("socket").fileno() != -1:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    await clients.aclose()
    assert session.closed
    await asyncio.wait_for(over.wait(), 10)
    server.close()


FIFTY_RUNS = """
import asyncio, gc
from remote_store_azure._connect.account import account_of
from tests.azure.scripted import Clients
from remote_store_azure._rest.operations import HEAD_BLOB

clients = Clients(
    account_of(container={container!r}, connection_string={text!r}),
    client_options={{"api_version": {version!r}}},
)

async def main():
    with clients.running() as wire:
        await wire.send(HEAD_BLOB, wire.url("missing"), path="k", accept=(404,))

for _ in range(50):
    asyncio.run(main())
gc.collect()
print("done", len(clients.states))
"""


def test_fifty_runs_without_close(azurite: Azurite, container: str) -> None:
    """Fifty runs of asyncio.run without a close leave no warning of any kind."""
    program = FIFTY_RUNS.format(
        container=container, text=azurite.connection_string, version=API_VERSION
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert ended.stderr == ""
    assert ended.stdout == "done 0\n"


def test_import_is_light() -> None:
    """Neither the package nor building clients loads the SDK or aiohttp."""
    program = (
        "import sys; from remote_store_azure._http import clients as c;"
        "from remote_store_azure._connect import account as a;"
        "c.Clients(a.account_of(container='box', account_name='n'));"
        "print([m for m in ('azure.core', 'azure.storage.blob', 'aiohttp') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert ended.stdout == "[]\n"


@pytest.mark.asyncio
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_forked_child_does_not_wait_for_its_parents_loop() -> None:
    """The loop looks as if it ran, but nobody runs it there."""
    async with scripted(reply(201)) as server:
        clients = clients_for(server)
        await call(clients)
        child = os.fork()
        if not child:
            begin = time.monotonic()
            try:
                asyncio.run(clients.aclose())
            finally:
                os._exit(0 if time.monotonic() - begin < 3 else 1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert status == 0
        await call(clients)
        await clients.aclose()
