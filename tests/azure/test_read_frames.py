"""What a chunk of a read passes through on its way to the program."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import flat, gathered

from remote_store.aio import AsyncStore

pytestmark = pytest.mark.asyncio

#: Generators of ours that a chunk may pass through, the store's own included.
MOST = 3


def generators(frame: FrameType | None) -> list[str]:
    """Return the names of our generators on the stack above *frame*."""
    found = []
    while frame is not None:
        code = frame.f_code
        ours = frame.f_globals["__name__"].startswith("remote_store")
        if ours and code.co_flags & inspect.CO_ASYNC_GENERATOR:
            found.append(code.co_qualname)
        frame = frame.f_back
    return found


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_chunk_passes_few_generators(
    azurite: Azurite, service: BlobServiceClient, container: str, concurrency: int
) -> None:
    """Each of them costs processor time for each chunk."""
    seen: list[list[str]] = []

    async def spied(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in source:
            seen.append(generators(sys._getframe()))
            yield chunk

    async def after(request: Any, response: Any) -> Any:
        if request.method == "GET":
            raw = response.iter_raw
            response.iter_raw = lambda: spied(raw())
        return response

    async with flat(azurite, service, container, max_concurrency=concurrency) as box:
        box.put("a", bytes(9 << 20))
        box.transport.after = after
        store = AsyncStore(box.backend)
        assert sum(map(len, await gathered(store.read("a")))) == 9 << 20

    ours = [[name for name in names if "spied" not in name] for names in seen]
    assert ours
    assert max(map(len, ours)) <= MOST, max(ours, key=len)
    assert any(ours)  # else the spy would see nothing
