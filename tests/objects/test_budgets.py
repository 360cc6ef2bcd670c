"""How many requests each operation makes, counted by a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Any

import pytest

from remote_store import AlreadyExists, NotFound, PreconditionFailed
from remote_store.aio import AsyncFile, AsyncStore

if TYPE_CHECKING:
    from acme_objects.server import Running

pytestmark = pytest.mark.asyncio

MIB = 1 << 20


async def stream(mib: int) -> AsyncIterator[bytes]:
    for _ in range(mib):
        yield bytes(MIB)


async def count(found: AsyncIterator[Any]) -> int:
    return len([item async for item in found])


async def some(file: AsyncFile, ranges: list[tuple[int, int]]) -> None:
    """Read here and there."""
    async with file:
        for start, length in ranges:
            await file.seek(start)
            assert len(await file.read(length)) == length


async def test_each_operation_is_within_its_budget(acme: Running) -> None:
    """The table of the page about object stores."""
    from acme_objects import AcmeObjects

    backend = AcmeObjects("{}:{}".format(*acme.address))
    requests = acme.server.requests

    async def costs(
        expected: int, call: Awaitable[Any], error: type[Exception] | None = None
    ) -> Any:
        requests.clear()
        value = None
        if error is None:
            value = await call
        else:
            with pytest.raises(error):
                await call
        assert len(requests) == expected, requests
        return value

    async with AsyncStore(backend) as store:
        await costs(1, store.write("a", b"x", metadata={"k": "v"}))
        await costs(1, store.write("a", b"x"), AlreadyExists)
        await costs(1, store.write("a", bytes(8 * MIB), overwrite=True))
        await costs(1, store.write_atomic("b", b"x"))
        await costs(1, store.write("c", stream(4)))
        await costs(6 + 2, store.write("d", stream(24), overwrite=True))
        await costs(6 + 3, store.write("e", stream(24)))
        await costs(1, store.write("e", stream(24)), AlreadyExists)
        assert await costs(1, store.read_bytes("a")) == bytes(8 * MIB)
        await costs(1, count(store.read("d")))
        await costs(2, store.read_bytes("none"), NotFound)
        etag = (await store.get_file_info("d")).etag
        assert len(await costs(1, store.read_range("d", MIB, length=9))) == 9
        await costs(1, store.read_range("d", MIB, if_match=etag))
        await costs(2, store.read_range("d", MIB, if_match="other"), PreconditionFailed)
        await costs(1, store.read_range("d", 5, length=0))
        assert len(await costs(2, store.read_range("d", -9))) == 9
        assert await costs(2, store.read_range("d", 99 * MIB)) == b""
        await costs(2, store.read_range("none", 9), NotFound)
        await costs(1, store.read_ranges("d", [(0, 9), (1000, 1009)]))
        await costs(3, store.read_ranges("d", [(0, 9), (MIB, MIB + 9)]))
        await costs(2, store.read_ranges("d", [(0, 9), (MIB, MIB + 9)], if_match=etag))
        await costs(1 + 3, some(store.open("d"), [(0, 9), (MIB, 200_000), (MIB + 5, 9)]))
        assert await costs(1, store.exists("a"))
        assert not await costs(2, store.exists("none"))
        await costs(1, store.is_file("a"))
        await costs(1, store.is_folder("a"))
        assert (await costs(1, store.get_file_info("b"))).size == 1
        await costs(1, store.head("b"))
        await costs(1, store.copy("b", "b2"))
        await costs(1, store.copy("b", "b2", overwrite=True))
        await costs(2, store.copy("b", "b2"), AlreadyExists)
        await costs(3, store.move("b", "b3"))
        await costs(3, store.move("b3", "b2", overwrite=True))
        await costs(1, store.delete("b2"))
        await costs(2, store.delete("b2"), NotFound)
        await costs(1, store.ping())

        for number in range(1200):
            await store.write(f"f/{number % 3}/{number:04}", b"")
        assert await costs(2, count(store.list_files("f", recursive=True))) == 1200
        assert await costs(1, count(store.list_folders("f"))) == 3
        assert await costs(4, count(store.list_files("f", recursive=True, max_depth=1))) == 1200
        assert await costs(1, count(store.iter_children("f/1"))) == 400
        assert await costs(1, count(store.glob("f/1/00*"))) == 33
        assert (await costs(2, store.get_folder_info("f"))).file_count == 1200
        await costs(2, store.delete_folder("f/1", recursive=True))
        await costs(2, store.delete_folder("f", recursive=True))
        await costs(2, store.delete_folder("f", recursive=True), NotFound)


async def test_what_a_killed_process_left_is_swept(acme: Running) -> None:
    """The server knows the upload, the listing does not show it."""
    from datetime import timedelta

    from acme_objects import AcmeObjects

    backend = AcmeObjects("{}:{}".format(*acme.address))
    service = backend.connect()
    await service.begin_upload("f/a", attributes=_nothing())
    await service.aclose()
    async with AsyncStore(backend) as store:
        assert await count(store.list_files("", recursive=True)) == 0
        assert await backend.sweep() == 0
        assert await backend.sweep("g", older_than=timedelta(0)) == 0
        assert await backend.sweep("f", older_than=timedelta(0)) == 1
        assert [upload async for upload in backend.unfinished_uploads()] == []


def _nothing() -> Any:
    from remote_store_objects import Attributes

    return Attributes()
