"""No secret is shown: not in reprs, errors, their causes, tracebacks or logs."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import ServiceRequestError
from tests.azure.scripted import OPERATIONS, Clients, clients_for, reply, scripted

from remote_store import RemoteStoreError, RetryPolicy
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._rest.operations import GET_BLOB
from remote_store_azure._rest.redact import redacted, scrub

SIGNATURE = "TheSignatureOfTheToken"
TOKEN = f"sv=2022-11-02&sp=rw&sig={SIGNATURE}%2Fx%3D&se=2030"
KEY = "VGhlS2V5T2ZUaGVBY2NvdW50"
SECRETS = (SIGNATURE, KEY)


def refuse_secrets(*shown: str) -> None:
    for text in shown:
        for secret in SECRETS:
            assert secret not in text


def everything(error: BaseException) -> Iterator[str]:
    """Give all that a program may print of an error and what it was raised from."""
    yield "".join(traceback.format_exception(error))
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        each = todo.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield str(each)
        yield repr(each)
        yield repr(each.args)
        yield repr(getattr(each, "__dict__", {}))
        response = getattr(each, "response", None)
        if response is not None:
            yield repr(response)
            yield repr(response.request)
            yield response.request.url
            yield repr(dict(response.request.headers))
        todo += [each.__cause__, each.__context__]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"https://x/y?{TOKEN}", "https://x/y?sv=2022-11-02&sp=rw&sig=***&se=2030"),
        (f"url='https://x?SIG={SIGNATURE}'", "url='https://x?SIG=***'"),
        (f"x%3Fsig%3D{SIGNATURE}", None),
        (f"Bearer {SIGNATURE}", "Bearer ***"),
        (f"SharedKey me:{SIGNATURE}=", "SharedKey me:***"),
        (f"('https://x?sig={SIGNATURE}', 3)", "('https://x?sig=***', 3)"),
        ("design=modern, a signal=3", "design=modern, a signal=3"),
    ],
)
def test_redacted(text: str, clean: str | None) -> None:
    """Signatures are taken out wherever they stand, and nothing else is."""
    refuse_secrets(redacted(text))
    if clean is not None:
        assert redacted(text) == clean


@pytest.mark.asyncio
@pytest.mark.parametrize("credential", [TOKEN, AzureSasCredential(TOKEN)])
@pytest.mark.parametrize(
    "act",
    [
        reply(403, f"<Error><Code>X</Code><Message>sig={SIGNATURE} is wrong</Message>".encode()),
        reply(409, b""),
        reply(500, f'{{"error":{{"code":"X","message":"?{TOKEN}"}}}}'.encode()),
        None,
        b"this is no HTTP\r\n\r\n",
        reply(200, b"short", Content_Length="50"),
        "stall",
        "refused",
    ],
    ids=["403", "409", "500", "dropped", "garbage", "truncated", "stalled", "refused"],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_errors(
    act: Any, credential: Any, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails, error, causes, traceback and log show no part of the SAS token."""
    caplog.set_level(logging.DEBUG)

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(act, bytes)
        writer.write(act)
        await writer.drain()

    async with scripted(stall if act == "stall" else once if act else None) as server:
        if act == "refused":
            assert server.listener is not None
            server.listener.close()
        clients = clients_for(
            server, credential=credential, retry=RetryPolicy(2, 0.01, jitter=0, timeout=1)
        )
        with clients.running() as wire:
            source = wire.source_url("other")
            assert SIGNATURE in source
            with pytest.raises(RemoteStoreError) as caught:
                await wire.send(
                    OPERATIONS[method],
                    wire.url("k", "comp=x"),
                    path="k",
                    headers={"x-ms-copy-source": source},
                    body=b"x" * 100_000 if method == "PUT" else None,
                    timeout=0.2 if act == "stall" else None,
                )
        refuse_secrets(*everything(caught.value), caplog.text)
        assert caught.value.__cause__ is not None
        await clients.aclose()
    refuse_secrets(caplog.text)


@pytest.mark.asyncio
async def test_streamed_errors() -> None:
    """A stream that breaks off shows nothing of the token either."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, b"half", Content_Length="8"))
        await writer.drain()

    async with scripted(cut) as server:
        clients = clients_for(server, sas_token=TOKEN)
        with clients.running() as wire:
            streaming = await wire.stream(GET_BLOB, wire.url("k"), path="k")
            with pytest.raises(RemoteStoreError) as caught:
                [chunk async for chunk in streaming]
        refuse_secrets(*everything(caught.value))
        await clients.aclose()


def test_scrub_follows_every_link() -> None:
    """An exception is cleaned with its causes, contexts, arguments and texts."""
    inner = OSError(5, f"cannot write https://x?{TOKEN}")
    middle = ValueError(f"https://x?{TOKEN}", 3)
    middle.__cause__ = inner
    outer = ServiceRequestError(f"failed: {TOKEN}", error=middle)
    outer.__context__ = middle
    scrub(outer)
    refuse_secrets(*everything(outer), outer.message, outer.exc_msg)
    assert middle.args[1] == 3
    assert inner.errno == 5


@pytest.mark.parametrize(
    "where",
    [
        {"account_key": KEY},
        {"sas_token": TOKEN},
        {"credential": AzureNamedKeyCredential("me", KEY)},
        {"connection_string": f"AccountName=me;AccountKey={KEY}"},
    ],
)
def test_reprs(where: dict[str, Any]) -> None:
    """The reprs of clients, account and everything in reach of them show no secret."""
    from remote_store_azure._connect.account import account_of

    account = account_of(container="box", account_url="https://me.blob.core.windows.net", **where)
    clients = Clients(account)
    refuse_secrets(repr(account), str(account), repr(clients), repr(vars(clients)))


@pytest.mark.asyncio
async def test_logs_of_a_success(caplog: pytest.LogCaptureFixture) -> None:
    """At the most talkative level the SDK's log of a call shows neither key nor token."""
    caplog.set_level(logging.DEBUG)
    async with scripted(reply(200, b"x")) as server:
        for where in ({"account_key": KEY}, {"sas_token": TOKEN}):
            clients = clients_for(server, client_options={"logging_enable": True}, **where)
            with clients.running() as wire:
                headers = {"x-ms-copy-source": wire.source_url("other")}
                await wire.send(GET_BLOB, wire.url("k"), path="k", headers=headers)
            await clients.aclose()
    assert "/acct/box/k" in caplog.text
    refuse_secrets(caplog.text)


@pytest.mark.parametrize(
    "where",
    [
        {"account_url": f"https://me.blob.core.windows.net?{TOKEN}"},
        {"account_url": f"https://me.blob.core.windows.net?{TOKEN}", "account_key": KEY},
        {"account_url": f"https://{KEY}:{SIGNATURE}@me.blob.core.windows.net", "account_key": KEY},
        {
            "connection_string": f"AccountName=me;AccountKey={KEY}",
            "account_url": f"https://x?{TOKEN}",
        },
    ],
)
def test_a_token_in_the_url_is_not_shown(where: dict[str, Any]) -> None:
    """Neither the backend nor its plan repeats what a URL holds beside the address."""
    backend = AsyncAzureBackend("box", **where)
    refuse_secrets(
        repr(backend), str(backend), repr(backend.resolve("a")), backend.native_path("a")
    )
