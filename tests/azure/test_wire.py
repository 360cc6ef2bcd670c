"""Requests written by hand, sent through the SDK's pipeline."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import aclosing
from urllib.parse import unquote

import pytest
from azure.core.credentials import AzureSasCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.scripted import OPERATIONS, Clients, clients_for, reply, scripted
from tests.azure.transport import CountingTransport

from remote_store import BackendUnavailable, RemoteStoreError, RetryPolicy
from remote_store_azure._connect.account import account_of
from remote_store_azure._http.session import Session
from remote_store_azure._rest.operations import GET_BLOB, HEAD_BLOB, LIST_BLOBS, PUT_BLOB
from remote_store_objects import Body

pytestmark = pytest.mark.asyncio

BLOCK = {"x-ms-blob-type": "BlockBlob"}
#: A name with every kind of character that needs care in a URL and its signature.
AWKWARD = "a b/c'd(1)!*@:+;=,&$#?%[]{}^`|\"<>~é漢😀.txt"


def real(azurite: Azurite, container: str, **options: object) -> Clients:
    """Return clients of a container on the running Azurite."""
    account = account_of(container=container, connection_string=azurite.connection_string)
    transport = options.pop("transport", None)
    client_options = {"api_version": API_VERSION} | ({"transport": transport} if transport else {})
    return Clients(account, client_options=client_options, retry=RetryPolicy(max_attempts=1))


@pytest.mark.parametrize("size", [0, 1, (256 << 10), (256 << 10) + 1, 3 * (256 << 10) + 7])
async def test_body_pieces(size: int) -> None:
    """A body gives all its bytes, in pieces of bounded size, as often as it is asked."""
    content = os.urandom(size)
    body = Body([content[: size // 3], b"", content[size // 3 :]])
    assert len(body) == size
    for _ in range(2):
        pieces = [piece async for piece in body]
        assert b"".join(pieces) == content
        assert all(0 < len(piece) <= (256 << 10) for piece in pieces)


async def test_body_interrupted_pass() -> None:
    """A pass that is given up does not shorten the next one."""
    body = Body([b"abc", b"def"])
    assert await anext(aiter(body)) == b"abc"
    assert [piece async for piece in body] == [b"abc", b"def"]


async def test_body_is_not_copied() -> None:
    """Large chunks are handed on as views of the same memory."""
    content = bytes((256 << 10) + 1)
    piece = await anext(aiter(Body([content])))
    assert isinstance(piece, memoryview)
    assert piece.obj is content


@pytest.mark.parametrize("content", [b"", b"abc", os.urandom(3 * (256 << 10) + 1)])
async def test_round_trip(azurite: Azurite, container: str, content: bytes) -> None:
    """Content of any size is stored and comes back, under a name with awkward characters."""
    clients = real(azurite, container)
    with clients.running() as wire:
        url = wire.url(AWKWARD)
        put = await wire.send(PUT_BLOB, url, path="k", headers=BLOCK, body=content)
        assert (put.status, put.lost, put.resent) == (201, False, False)
        head = await wire.send(HEAD_BLOB, url, path="k")
        assert head.headers["CONTENT-length"] == str(len(content))
        assert head.headers["etag"] == put.headers["ETag"]
        got = await wire.send(GET_BLOB, url, path="k")
        assert got.body == content
    await clients.aclose()


async def test_name_as_the_sdk_sees_it(
    azurite: Azurite, container: str, service: BlobServiceClient
) -> None:
    """The SDK finds a blob under the very name that the wire was given, and its URL is the same."""
    clients = real(azurite, container)
    with clients.running() as wire:
        await wire.send(PUT_BLOB, wire.url(AWKWARD), path="k", headers=BLOCK, body=b"x")
        assert service.get_blob_client(container, AWKWARD).url == wire.url(AWKWARD)
    names = list(service.get_container_client(container).list_blob_names())
    assert names == [AWKWARD]
    await clients.aclose()


async def test_one_request_each(azurite: Azurite, container: str) -> None:
    """Each call is one request, with the SDK's version, date and authentication."""
    transport = CountingTransport()
    clients = real(azurite, container, transport=transport)
    with clients.running() as wire:
        await wire.send(PUT_BLOB, wire.url("k"), path="k", headers=BLOCK, body=b"x")
        await wire.send(GET_BLOB, wire.url("k"), path="k")
        await wire.send(LIST_BLOBS, wire.url(None, "restype=container&comp=list"), path=None)
    sent = transport.taken()
    assert [(s.method, s.query) for s in sent] == [
        ("PUT", ""),
        ("GET", ""),
        ("GET", "restype=container&comp=list"),
    ]
    for each in sent:
        assert each.headers["x-ms-version"] == API_VERSION
        assert each.headers["authorization"].startswith("SharedKey devstoreaccount1:")
        assert "x-ms-date" in each.headers
        assert "azsdk-python-storage-blob" in each.headers["user-agent"]
    await clients.aclose()


async def test_stream(azurite: Azurite, container: str) -> None:
    """A streamed answer arrives in chunks and leaves the connection free for the next request."""
    content = os.urandom(2_000_000)
    clients = real(azurite, container)
    with clients.running() as wire:
        await wire.send(PUT_BLOB, wire.url("k"), path="k", headers=BLOCK, body=content)
        for _ in range(2):
            streaming = await wire.stream(GET_BLOB, wire.url("k"), path="k")
            assert streaming.headers["Content-Length"] == str(len(content))
            chunks = [chunk async for chunk in streaming]
            assert len(chunks) > 4
            assert b"".join(chunks) == content
    await clients.aclose()


async def test_stream_abandoned() -> None:
    """Closing the chunks early drops the connection instead of reading the rest."""
    gone = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"", Content_Length=str(1 << 40)))
        try:
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()
        except ConnectionError:
            gone.set()

    async with scripted(endless) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            streaming = await wire.stream(GET_BLOB, wire.url("k"), path="k")
            async with aclosing(streaming) as chunks:
                assert await anext(chunks)
            await asyncio.wait_for(gone.wait(), 5)
        await clients.aclose()


async def test_broken_answer_is_asked_again() -> None:
    """A GET whose body breaks off is repeated, and never returned short."""
    short = reply(200, b"half", Content_Length="8")

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(short)
        await writer.drain()

    async with scripted(cut, reply(200, b"complete")) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            answer = await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert answer.body == b"complete"
        assert answer.resent
        assert len(server.seen) == 2
        server.acts = [cut]
        with clients.running() as wire, pytest.raises(BackendUnavailable) as caught:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert len(server.seen) == 5
        assert caught.value.__cause__ is not None
        await clients.aclose()


async def test_streamed_answer_breaks_off() -> None:
    """A streamed body that breaks off raises; what came before it is handed out first."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"half", Content_Length="8"))
        await writer.drain()

    async with scripted(cut) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            streaming = await wire.stream(GET_BLOB, wire.url("k"), path="k")
            async with aclosing(streaming) as chunks:
                assert await anext(chunks) == b"half"
                with pytest.raises(BackendUnavailable):
                    await anext(chunks)
        await clients.aclose()


async def test_encoded_content_is_not_decoded() -> None:
    """Bytes come as they are stored, also under a Content-Encoding."""
    async with scripted(reply(200, b"\x1f\x8bnot gzip", Content_Encoding="gzip")) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            answer = await wire.send(GET_BLOB, wire.url("k"), path="k")
            streaming = await wire.stream(GET_BLOB, wire.url("k"), path="k")
            chunks = [chunk async for chunk in streaming]
        assert answer.body == b"".join(chunks) == b"\x1f\x8bnot gzip"
        await clients.aclose()


async def test_unaccepted_status_raises() -> None:
    """A status raises unless it is among those that the caller accepts."""
    async with scripted(reply(404)) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            answer = await wire.send(GET_BLOB, wire.url("k"), path="k", accept=(404,))
            assert answer.status == 404
            with pytest.raises(RemoteStoreError, match="Not found: k"):
                await wire.send(GET_BLOB, wire.url("k"), path="k", accept=(200,))
            with pytest.raises(RemoteStoreError, match="Not found: k"):
                await wire.stream(GET_BLOB, wire.url("k"), path="k")
        await clients.aclose()


async def test_lost_answer_is_known() -> None:
    """A request whose first answer was lost is sent again by us alone, and the answer says so."""
    async with scripted(None, reply(409)) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            answer = await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x", accept=(409,))
        assert (answer.lost, answer.resent) == (True, True)
        assert len(server.seen) == 2
        assert [seen.body for seen in server.seen] == [b"x", b"x"]
        await clients.aclose()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_no_repeat_behind_our_back(method: str) -> None:
    """With one attempt, a dropped connection means one request, also on a used connection."""
    async with scripted(reply(200)) as server:
        clients = clients_for(server, retry=RetryPolicy.disabled())
        with clients.running() as wire:
            await wire.send(GET_BLOB, wire.url("k"), path="k")
            server.acts = [None]
            with pytest.raises(BackendUnavailable) as caught:
                await wire.send(OPERATIONS[method], wire.url("k"), path="k")
        assert len(server.seen) == 2
        assert server.seen[0].port == server.seen[1].port
        assert caught.value.outcome_unknown == (method not in ("GET", "HEAD"))
        await clients.aclose()


async def test_never_sent() -> None:
    """Where nothing listens nothing was done, and the error says so."""
    async with scripted(reply(200)) as server:
        clients = clients_for(server)
    with clients.running() as wire:
        with pytest.raises(BackendUnavailable) as caught:
            await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert not caught.value.outcome_unknown
        assert caught.value.path == "k"
        assert caught.value.__cause__ is not None
    await clients.aclose()


async def test_request_timeout() -> None:
    """A time limit covers the wait for an answer and the body that follows."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def stall_in_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"half", Content_Length="8"))
        await reader.read()

    async with scripted(stall) as server:
        clients = clients_for(server)
        for act in (stall, stall_in_body):
            server.acts = [act]
            with clients.running() as wire:
                start = time.monotonic()
                with pytest.raises(BackendUnavailable):
                    await wire.send(GET_BLOB, wire.url("k"), path="k", timeout=0.2)
                assert 0.15 < time.monotonic() - start < 15
        await clients.aclose()


async def test_callers_timeout_is_the_callers() -> None:
    """A timeout around the call raises TimeoutError, not an error of ours."""

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted(stall) as server:
        clients = clients_for(server, retry=RetryPolicy(timeout=30))
        with clients.running() as wire, pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await wire.send(PUT_BLOB, wire.url("k"), path="k", body=b"x")
        assert not isinstance(caught.value, RemoteStoreError)
        assert len(server.seen) == 1
        await clients.aclose()


async def test_sas_in_every_url() -> None:
    """The SAS token of a string stands in each URL, with or without a query, or as copy source."""
    token = "sv=2022-11-02&sig=abc%2Fdef%3D&unheard=of"
    async with scripted(reply(200)) as server:
        clients = clients_for(server, sas_token=f"?{token}")
        with clients.running() as wire:
            assert wire.url("k") == f"{server.url}/box/k?{token}"
            assert wire.url(None, "comp=list") == f"{server.url}/box?comp=list&{token}"
            assert wire.account_url("comp=x") == f"{server.url}/?comp=x&{token}"
            assert wire.dfs_url("k", "action=x") == f"{server.url}/box/k?action=x&{token}"
            assert wire.source_url("k") == wire.url("k")
            await wire.send(GET_BLOB, wire.url("k"), path="k")
        assert unquote(server.seen[0].target) == unquote(f"/acct/box/k?{token}")
        assert "authorization" not in server.seen[0].headers
        await clients.aclose()


async def test_sas_credential_object() -> None:
    """An AzureSasCredential signs by itself; only the copy source needs the token from us."""
    credential = AzureSasCredential("?sv=1&sig=abc")
    async with scripted(reply(200)) as server:
        clients = clients_for(server, credential=credential)
        with clients.running() as wire:
            assert wire.url("k") == f"{server.url}/box/k"
            assert wire.source_url("k") == f"{server.url}/box/k?sv=1&sig=abc"
            await wire.send(GET_BLOB, wire.url("k", "comp=x"), path="k")
            credential.update("sv=2&sig=new")
            assert wire.source_url("k") == f"{server.url}/box/k?sv=2&sig=new"
        assert server.seen[0].target == "/acct/box/k?comp=x&sv=1&sig=abc"
        await clients.aclose()


async def test_proxy_settings_cost_nothing_when_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a proxy in the environment aiohttp does not look for one at each request."""
    for name in (
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)

    async def trusts() -> bool:
        transport = AioHttpTransport()
        async with scripted(reply(200)) as server:
            clients = clients_for(server, client_options={"transport": transport})
            with clients.running():
                assert transport.session is not None
                answer = bool(transport.session.trust_env)
            await clients.aclose()
        return answer

    assert not await trusts()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert await trusts()


async def test_large_bytes_are_sent_in_pieces() -> None:
    """Bytes above a piece do not warn, and arrive whole."""
    content = os.urandom(3_000_000)
    async with scripted(reply(201)) as server:
        clients = clients_for(server)
        with clients.running() as wire:
            await wire.send(PUT_BLOB, wire.url("k"), path="k", body=content)
        assert server.seen[0].body == content
        assert server.seen[0].headers["content-type"] == "application/octet-stream"
        await clients.aclose()


async def test_pause_gives_up() -> None:
    """Resuming ends with the error once attempts or time are used up."""
    async with scripted(reply(200)) as server:
        clients = clients_for(server)
        error = BackendUnavailable("broken")
        with clients.running() as wire:
            assert isinstance(wire, Session)
            await wire.pause(1, error, None)
            await wire.pause(2, error, None)
            with pytest.raises(BackendUnavailable) as caught:
                await wire.pause(3, error, None)
            assert caught.value is error
            with pytest.raises(BackendUnavailable):
                await wire.pause(1, error, asyncio.get_running_loop().time() + 0.001)
        await clients.aclose()


async def test_quoting_is_undone_once(azurite: Azurite, container: str) -> None:
    """A name that looks quoted is another name than what it would mean."""
    transport = CountingTransport()
    clients = real(azurite, container, transport=transport)
    with clients.running() as wire:
        await wire.send(PUT_BLOB, wire.url("a%20b"), path="k", headers=BLOCK, body=b"x")
        missing = await wire.send(HEAD_BLOB, wire.url("a b"), path="k", accept=(200, 404))
        assert missing.status == 404
    assert unquote(transport.requests[0].path).endswith("/a%20b")
    await clients.aclose()
