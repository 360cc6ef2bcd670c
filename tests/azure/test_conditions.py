"""Changes of one version on a flat account: what they cost, and what a lost answer means."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, stream

from remote_store import ContentHeaders, PreconditionFailed
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio

MIB = 1 << 20

Call = Callable[[AsyncAzureBackend, Any], Awaitable[Any]]

ROWS: dict[str, tuple[Call, list[str]]] = {
    "write": (lambda b, e: b.write("a", b"x", if_match=e), ["PUT"]),
    "write_atomic": (lambda b, e: b.write_atomic("a", b"x", if_match=e), ["PUT"]),
    "stream of two blocks": (
        lambda b, e: b.write("a", stream(*[bytes(MIB)] * 9), if_match=e),
        ["PUT block"] * 3 + ["PUT blocklist"],
    ),
    "delete": (lambda b, e: b.delete("a", if_match=e), ["DELETE"]),
    "copy": (lambda b, e: b.copy("a", "b", if_match=e), ["PUT"]),
    "move": (lambda b, e: b.move("a", "b", if_match=e), ["HEAD", "PUT", "DELETE"]),
}


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on an empty container."""
    async with flat(azurite, service, container) as found:
        yield found


@pytest.mark.parametrize("row", ROWS)
async def test_a_condition_costs_no_request(box: Flat, row: str) -> None:
    """The service decides with the change; of another version nothing is changed."""
    call, expected = ROWS[row]
    first = (await box.backend.write("a", b"1")).etag
    now = (await box.backend.write("a", b"2", overwrite=True)).etag
    with pytest.raises(PreconditionFailed) as caught:
        await call(box.backend, first)
    assert (caught.value.path, caught.value.outcome_unknown) == ("a", False)
    assert (box.names(), box.get("a")) == (["a"], b"2")
    box.sent()
    await call(box.backend, now)
    assert box.sent() == expected


async def test_headers_cost_no_request_and_are_those_of_the_blob(
    box: Flat, service: BlobServiceClient
) -> None:
    """The SDK sees what was given, also of content in blocks and of a copy."""
    given = ContentHeaders(
        content_type="text/csv",
        cache_control="no-store",
        content_encoding="gzip",
        content_disposition="inline",
    )
    await box.backend.write("a", b"x", headers=given)
    assert box.sent() == ["PUT"]
    await box.backend.write("b", stream(*[bytes(MIB)] * 9), headers=given)
    await box.backend.copy("b", "c")
    for name in ("a", "b", "c"):
        assert (await box.backend.get_file_info(name)).headers == given
        found = box.container.get_blob_client(name).get_blob_properties().content_settings
        assert (found.content_type, found.cache_control) == ("text/csv", "no-store")
        assert (found.content_encoding, found.content_disposition) == ("gzip", "inline")
