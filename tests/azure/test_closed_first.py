"""A closed backend says so, whatever else is wrong with a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from azure.storage.filedatalake.aio import FileSystemClient
from tests.azure.scripted import KEY
from tests.operations import OPERATIONS, Paths, settle

from remote_store import StoreClosed
from remote_store_azure import AsyncAzureBackend

#: Calls with something else that would be refused.
CALLS: Final[list[Callable[[AsyncAzureBackend], Awaitable[Any]]]] = [
    lambda b: b.write("a", "text"),  # type: ignore[arg-type]
    lambda b: b.write("a", b"", metadata={"no identifier": ""}),
    lambda b: b.write_atomic(".~tmp.a", b""),
    lambda b: b.connected(),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("hns", [True, False, None])
async def test_closed_comes_first(hns: bool | None) -> None:
    """Every operation raises StoreClosed before it looks at its arguments."""
    backend = AsyncAzureBackend("box", account_name="name", account_key=KEY, hns=hns)
    await backend.aclose()
    for operation in OPERATIONS.values():
        for key in ("", "/a", "../a", "a\\b", "\0", "a"):
            with pytest.raises(StoreClosed):
                await settle(operation(backend, Paths.all(key)))
    for call in CALLS:
        with pytest.raises(StoreClosed):
            await call(backend)
    for hint in (FileSystemClient, int):
        with pytest.raises(StoreClosed):
            backend.unwrap(hint)


def test_unwrap_without_a_loop() -> None:
    """The SDK's client belongs to a loop; who asks outside of one is told where to ask."""
    backend = AsyncAzureBackend("box", account_name="name", account_key=KEY)
    with pytest.raises(RuntimeError, match="call unwrap inside of a coroutine"):
        backend.unwrap(FileSystemClient)
