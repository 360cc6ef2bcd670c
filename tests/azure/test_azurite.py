"""The server under the tests is a real one, and what counts its requests agrees with it."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.blob.aio import ContainerClient
from tests.azure.azurite import API_VERSION, Azurite
from tests.azure.transport import CountingTransport


@pytest.mark.asyncio
async def test_the_counter_agrees_with_the_access_log(
    azurite: Azurite, service: BlobServiceClient, container: str
) -> None:
    """Each request that the transport notes stands in the server's log, and no other does."""
    transport = CountingTransport()
    async with ContainerClient.from_connection_string(
        azurite.connection_string, container, api_version=API_VERSION, transport=transport
    ) as client:
        await client.upload_blob("a (1)+@;=.txt", b"content")
        assert [blob.name async for blob in client.list_blobs()] == ["a (1)+@;=.txt"]

    sent = [(r.method, unquote(r.path), r.status) for r in transport.requests]
    assert [(method, status) for method, _, status in sent] == [("PUT", 201), ("GET", 200)]
    for _ in range(1000):  # a line is written after its answer was sent
        logged = [
            (method, unquote(target.partition("?")[0]), status)
            for method, target, status in azurite.requests()
            if f"/{container}" in target and not target.endswith(f"{container}?restype=container")
        ]
        if len(logged) >= len(sent):
            break
        await asyncio.sleep(0.01)
    assert logged == sent
