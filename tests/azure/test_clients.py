"""One client for each event loop, closed with the loop or with the backend."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
import warnings
from typing import Any

import pytest
from azure.core.credentials import AzureSasCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import LinearRetry
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.scripted import KEY, Clients, clients_for, reply, scripted
from tests.azure.transport import CountingTransport

from remote_store import RetryPolicy, StoreClosed
from remote_store_azure._connect.account import account_of
from remote_store_azure._http.clients import Clients as Made
from remote_store_azure._rest.operations import GET_BLOB, HEAD_BLOB
from remote_store_objects.authoring import Calls

HEADERS = {"x-ms-blob-type": "BlockBlob"}


def real(azurite: Azurite, container: str, **client_options: Any) -> Clients:
    """Return clients of a container on the running Azurite."""
    account = account_of(container=container, connection_string=azurite.connection_string)
    return Clients(account, client_options={"api_version": API_VERSION, **client_options})


async def use(clients: Clients) -> Any:
    """Make one request, and return the client that made it."""
    with clients.running() as wire:
        await wire.send(HEAD_BLOB, wire.url("missing"), path="k", accept=(404,))
        return wire.client


@pytest.mark.asyncio
async def test_one_client_in_a_loop(azurite: Azurite, container: str) -> None:
    """A loop has one client, however many calls run in it at a time."""
    clients = real(azurite, container)
    made = await asyncio.gather(*(use(clients) for _ in range(20)))
    assert len({id(client) for client in made}) == 1
    await clients.aclose()


def test_loops_one_after_another(azurite: Azurite, container: str) -> None:
    """Each run of a loop has a client of its own, which its end closes."""
    transports: list[AioHttpTransport] = []

    def made() -> AioHttpTransport:
        transports.append(CountingTransport())
        return transports[-1]

    clients = real(azurite, container, transport=made)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            asyncio.run(use(clients))
            gc.collect()
    assert len(transports) == 3
    assert all(transport.session is None for transport in transports)


def test_loops_in_threads(azurite: Azurite, container: str) -> None:
    """Threads with loops of their own work at once, and one close ends them all."""
    clients = real(azurite, container)
    ready, done = threading.Barrier(5), threading.Event()
    sockets: list[Any] = []
    problems: list[BaseException] = []

    async def stay() -> None:
        client = await use(clients)
        sockets.append(client._pipeline._transport)
        await asyncio.to_thread(ready.wait)
        await asyncio.to_thread(done.wait)
        with pytest.raises(StoreClosed):
            clients.running()

    def run() -> None:
        try:
            asyncio.run(stay())
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    assert all(transport.session is not None for transport in sockets)
    asyncio.run(clients.aclose())
    assert [transport.session for transport in sockets] == [None] * 4
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []


@pytest.mark.asyncio
async def test_forgotten_clients_are_closed(azurite: Azurite, container: str) -> None:
    """Clients that nobody holds any more are closed by the loop, without a warning."""
    client = await use(real(azurite, container))
    transport = client._pipeline._transport
    session = transport.session
    assert not session.closed
    del client
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)
    assert transport.session is None
    assert session.closed


@pytest.mark.asyncio
async def test_callers_transport_is_guarded() -> None:
    """A transport object of the caller's does not repeat behind our back either."""
    transport = CountingTransport()
    async with scripted(reply(200)) as server:
        clients = clients_for(
            server, client_options={"transport": transport}, retry=RetryPolicy.disabled()
        )
        await use_ok(clients)
        server.acts = [None]
        with clients.running() as wire, pytest.raises(ConnectionError):
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert len(server.seen) == 2
        await clients.aclose()


async def use_ok(clients: Clients) -> None:
    with clients.running() as wire:
        await wire.send(GET_BLOB, wire.url("k"), path="k")


def test_callers_transport_in_loops(azurite: Azurite, container: str) -> None:
    """One transport object serves loops one after another; a second loop at a time is refused."""
    clients = real(azurite, container, transport=CountingTransport())
    asyncio.run(use(clients))

    async def both() -> None:
        await use(clients)
        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, use(clients))
        await use(clients)

    asyncio.run(both())


@pytest.mark.asyncio
async def test_callers_retry_policy_in_loops(azurite: Azurite, container: str) -> None:
    """One retry policy object serves several loops at a time: each has a copy in its pipeline."""
    clients = real(azurite, container, retry_policy=LinearRetry(backoff=0, retry_total=1))
    await use(clients)
    await asyncio.to_thread(asyncio.run, use(clients))
    await use(clients)
    await clients.aclose()


@pytest.mark.asyncio
async def test_file_system_client(azurite: Azurite, container: str) -> None:
    """The Data Lake client is the same at each call, and closed with the others."""
    from azure.storage.filedatalake.aio import FileSystemClient

    clients = real(azurite, container)
    client = clients.file_system_client()
    assert isinstance(client, FileSystemClient)
    assert clients.file_system_client() is client
    assert await client.exists()
    await clients.aclose()
    with pytest.raises(StoreClosed):
        clients.file_system_client()


@pytest.mark.parametrize(
    "where",
    [
        {"connection_string": f"AccountName=x;AccountKey={KEY}"},
        {"account_name": "x", "account_key": KEY},
        {"account_name": "x", "sas_token": "sv=1&sig=x"},
        {"account_name": "x"},
    ],
)
def test_pickle(where: dict[str, Any]) -> None:
    """Clients pickle as their configuration, secrets included, connections not."""
    clients = Made(
        account_of(container="box", **where),
        retry=RetryPolicy(max_attempts=7),
        client_options={"max_block_size": 1 << 20, "transport": CountingTransport},
        max_concurrency=3,
    )
    again = pickle.loads(pickle.dumps(clients))
    assert again.account == clients.account
    assert again.tuning.block_size == 1 << 20
    assert (again._retry, again._max_concurrency) == (RetryPolicy(max_attempts=7), 3)


@pytest.mark.parametrize(
    ("where", "options", "says"),
    [
        ({"credential": AzureSasCredential("sig=x")}, {}, "AzureSasCredential"),
        ({"account_key": KEY}, {"transport": CountingTransport()}, "transport"),
        ({"account_key": KEY}, {"retry_policy": LinearRetry()}, "retry_policy"),
    ],
)
def test_pickle_refused(where: dict[str, Any], options: dict[str, Any], says: str) -> None:
    """What belongs to the caller's process is refused, with the reason."""
    account = account_of(container="box", account_name="x", **where)
    with pytest.raises(TypeError, match=says):
        pickle.dumps(Made(account, client_options=options))


def test_used_clients_pickle(azurite: Azurite, container: str) -> None:
    """Clients that are connected pickle too, and work on the other side."""
    clients = real(azurite, container)

    async def main() -> None:
        await use(clients)
        made = pickle.loads(pickle.dumps(clients.made))
        again = made.connect(Calls("async-azure"))
        await again.session.send(HEAD_BLOB, again.session.url("x"), path="k", accept=(404,))
        await again.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True])
@pytest.mark.parametrize(
    "name", ["max_single_put_size", "max_block_size", "max_single_get_size", "max_chunk_get_size"]
)
def test_sizes(name: str, value: object) -> None:
    """Sizes in client_options are positive numbers of bytes; they win over ours."""
    account = account_of(container="box", account_name="x")
    with pytest.raises(ValueError, match=name):
        Made(account, client_options={name: value})
    options = {
        "max_single_put_size": 1,
        "max_block_size": 2,
        "max_single_get_size": 3,
        "max_chunk_get_size": 4,
    }
    tuning = Made(account, client_options=options).tuning
    assert (tuning.max_single_put, tuning.block_size) == (1, 2)
    assert (tuning.max_single_get, tuning.max_chunk_get) == (3, 4)


@pytest.mark.asyncio
async def test_options_reach_the_sdk(azurite: Azurite, container: str) -> None:
    """Other client options go to the SDK's client: hooks are called, the user agent is marked."""
    seen: list[str] = []
    clients = real(
        azurite,
        container,
        user_agent="mine/1",
        raw_request_hook=lambda request: seen.append(request.http_request.headers["User-Agent"]),
    )
    await use(clients)
    assert len(seen) == 1
    assert seen[0].startswith("mine/1 ")
    await clients.aclose()
