"""A closed backend says so, whatever else is wrong with a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from azure.storage.filedatalake.aio import FileSystemClient
from tests.azure.flat import gathered
from tests.azure.scripted import KEY

from remote_store import StoreClosed
from remote_store_azure import AsyncAzureBackend

#: Each with a path, content or pattern that would be refused.
CALLS: Final[list[Callable[[AsyncAzureBackend], Awaitable[Any]]]] = [
    lambda b: b.exists("/a"),
    lambda b: b.is_file("../a"),
    lambda b: b.is_folder("a\\b"),
    lambda b: b.get_file_info(""),
    lambda b: b.get_folder_info("\0"),
    lambda b: b.read_bytes(""),
    lambda b: gathered(b.read("")),
    lambda b: b.write("", b""),
    lambda b: b.write("a", "text"),  # type: ignore[arg-type]
    lambda b: b.write("a", b"", metadata={"no identifier": ""}),
    lambda b: b.write_atomic(".~tmp.a", b""),
    lambda b: b.delete("", missing_ok=True),
    lambda b: b.delete_folder(""),
    lambda b: b.move("a", ""),
    lambda b: b.copy("", "a"),
    lambda b: gathered(b.list_files("/")),
    lambda b: gathered(b.list_folders("..")),
    lambda b: gathered(b.iter_children("/a")),
    lambda b: gathered(b.glob("../*")),
    lambda b: b.check_health(),
    lambda b: b.connected(),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("hns", [True, False, None])
async def test_closed_comes_first(hns: bool | None) -> None:
    """Every operation raises StoreClosed before it looks at its arguments."""
    backend = AsyncAzureBackend("box", account_name="name", account_key=KEY, hns=hns)
    await backend.aclose()
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
