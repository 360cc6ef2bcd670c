"""One backend used from several event loops: at the same time, and one after another."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings

import pytest

from remote_store import NotFound
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


def test_one_after_another() -> None:
    """Fifty loops in a row use one store, closed or not, and nothing is left (LIFE-007)."""
    store = AsyncStore(AsyncMemoryBackend())
    before = set(threading.enumerate())

    async def use(i: int) -> None:
        await store.write(f"d/{i}", str(i).encode())
        assert i + 1 == (await store.get_folder_info("d")).file_count
        if i % 2:
            await store.aclose()
            await store.aclose()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for i in range(50):
            asyncio.run(use(i))
        gc.collect()

    assert set(threading.enumerate()) <= before


def test_at_the_same_time() -> None:
    """Eight loops in eight threads work on one store without losing or mixing anything."""
    store = AsyncStore(AsyncMemoryBackend())
    failures: list[BaseException] = []
    barrier = threading.Barrier(8, timeout=30)

    async def work(me: int) -> None:
        barrier.wait()
        for i in range(100):
            key = f"common/{i}/{me}"
            await store.write(key, b"%d" % me, metadata={"me": str(me)})
            await store.copy(key, f"own/{me}/{i}")
            await store.move(key, f"common/{i}/moved {me}")
            assert b"%d" % me == await store.read_bytes(f"own/{me}/{i}")
            await store.write("one key", b"%d" % me * 1000, overwrite=True)
            assert len(set(await store.read_bytes("one key"))) == 1
            assert [info async for info in store.list_files("common", recursive=True)] != []
        await store.delete_folder(f"own/{me}", recursive=True)

    def run(me: int) -> None:
        try:
            asyncio.run(work(me))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def check() -> None:
        found = {str(i.path): i async for i in store.list_files("", recursive=True)}
        assert len(found) == 801
        for i in range(100):
            for me in range(8):
                info = await store.get_file_info(f"common/{i}/moved {me}")
                assert {"me": str(me)} == info.metadata

    assert failures == []
    asyncio.run(check())


def test_listing_across_loops() -> None:
    """A listing that one loop began does not hold up another loop's work."""
    backend = AsyncMemoryBackend()

    async def begin() -> None:
        await backend.write("d/1", b"")
        await backend.write("d/2", b"")
        found = backend.list_files("d")
        await anext(found)
        thread = threading.Thread(target=asyncio.run, args=(backend.delete("d/2"),))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()

    asyncio.run(begin())
    with pytest.raises(NotFound):
        asyncio.run(backend.read_bytes("d/2"))
