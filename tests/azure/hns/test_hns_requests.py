"""What requests to the Data Lake service carry that the emulator does not check."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.credentials import AzureSasCredential
from tests.azure.hns.lake import Lake

from remote_store import RemoteStoreError
from remote_store_azure._datalake import requests as dfs
from remote_store_azure._hierarchical import http_of

pytestmark = pytest.mark.asyncio

SAS = "sv=2026-06-06&sig=c2VjcmV0%3D"


@pytest.mark.parametrize(
    "secret", [{"sas_token": SAS}, {"credential": AzureSasCredential(SAS)}], ids=["text", "object"]
)
async def test_the_source_of_a_rename_carries_the_sas_token(
    lake: Lake, secret: dict[str, Any]
) -> None:
    """It is authorized by itself, wherever the token lives; and no error shows it."""
    backend = lake.backend(connection_string=None, account_url=lake.emulator.dfs_url, **secret)
    with backend._loops.running() as session, pytest.raises(RemoteStoreError) as caught:
        await dfs.rename(http_of(session), "a b/f+%", "g", etag='"0x1"', exclusive=True)

    (sent,) = lake.transport.requests
    assert sent.headers["x-ms-rename-source"] == f"/lake/a%20b/f%2B%25?{SAS}"
    cause: Any = caught.value.__cause__
    assert "c2VjcmV0" not in repr(cause.__dict__) + str(caught.value)
    assert cause.response.request.headers["x-ms-rename-source"].endswith("***")
    lake.emulator.unverified.clear()  # it knows no SAS tokens
    await backend.aclose()


@pytest.mark.parametrize("by_token", [False, True])
async def test_a_recursive_delete_by_token_may_come_in_pages(lake: Lake, by_token: bool) -> None:
    """Looking at the rights of everything below may take the service too long for one answer."""
    backend = lake.backend()
    with backend._loops.running() as session:
        wire = http_of(session)
        wire.by_token = by_token
        with pytest.raises(RemoteStoreError):
            await dfs.delete(wire, "a", "a", recursive=True, accept=(200,))

    (sent,) = lake.transport.requests
    assert sent.query == "recursive=true" + ("&paginated=true" if by_token else "")
    lake.emulator.refused.clear()
    await backend.aclose()
