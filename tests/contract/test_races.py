"""Of many exclusive writers of one key exactly one wins, whoever they are and whatever they do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from tests.contract.probes import Recorder, as_backend, collect, in_new_loop
from tests.contract.reference import DictBackend

from remote_store import AlreadyExists, NotFound
from remote_store.aio import AsyncBackend, AsyncStore

WRITERS = 16
#: The rounds that the contract prescribes, and few of them for those who wait.
ROUNDS = pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.long)])
KINDS = ["write", "stream", "write_atomic", "atomic_stream", "move", "copy"]
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]
MUST_LOSE = pytest.mark.parametrize("kind", ["write", "move", "copy"])


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body[:2]
    await asyncio.sleep(0)
    yield body[2:]


def contender(store: AsyncStore, kind: str, key: str, i: int) -> Coroutine[Any, Any, object]:
    """One exclusive attempt at *key*, by a writer that can be told by its bytes."""
    body = b"writer-%02d" % i
    if kind in ("move", "copy"):
        transfer: Callable[..., Coroutine[Any, Any, object]] = getattr(store, kind)
        return transfer(f"source/{i}", key)
    content = chunks(body) if "stream" in kind else body
    write = store.write_atomic if "atomic" in kind else store.write
    return write(key, content)


async def attempt(store: AsyncStore, kind: str, key: str, i: int) -> bool:
    """True for the winner; anything but AlreadyExists fails the test."""
    try:
        await contender(store, kind, key, i)
    except AlreadyExists:
        return False
    return True


async def prepare(store: AsyncStore, kind: str) -> None:
    """Give every mover a source of its own."""
    if kind in ("move", "copy"):
        for i in range(WRITERS):
            await store.write(f"source/{i}", b"writer-%02d" % i, overwrite=True)


async def judge(store: AsyncStore, kind: str, key: str, won: list[int]) -> None:
    """
    Exactly one winner, its bytes are there, and the losers' sources still are.

    Afterwards the field is as it was before the round.
    """
    assert len(won) == 1, f"{len(won)} winners of {key}"
    assert await store.read_bytes(key) == b"writer-%02d" % won[0]
    if kind in ("move", "copy"):
        left = {int(f.name) for f in await collect(store.list_files("source"))}
        assert left == set(range(WRITERS)) - (set(won) if kind == "move" else set())
    await store.move(key, f"source/{won[0]}", overwrite=True)


async def race_of_tasks(store: AsyncStore, kind: str, rounds: int) -> None:
    await prepare(store, kind)
    for number in range(rounds):
        key = f"d/key{number}"
        results = await asyncio.gather(*(attempt(store, kind, key, i) for i in range(WRITERS)))
        await judge(store, kind, key, [i for i, won in enumerate(results) if won])


def race_of_threads(store: AsyncStore, kind: str, rounds: int) -> None:
    """Each writer is a thread with a loop of its own; a barrier starts each round."""
    barrier = threading.Barrier(WRITERS)
    won: list[int] = []
    failures: list[BaseException] = []

    async def judged(key: str) -> None:
        await judge(store, kind, key, won)
        won.clear()

    async def writer(i: int) -> None:
        for number in range(rounds):
            key = f"d/key{number}"
            barrier.wait(30)
            if await attempt(store, kind, key, i):
                won.append(i)
            if barrier.wait(30) == 0:
                await judged(key)
            barrier.wait(30)

    def run(i: int) -> None:
        try:
            in_new_loop(writer(i))
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    in_new_loop(prepare(store, kind))
    threads = [threading.Thread(target=run, args=(i,)) for i in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The others of a broken barrier only say that it is broken.
    real = [f for f in failures if not isinstance(f, threading.BrokenBarrierError)]
    if failures:
        raise (real or failures)[0]


@ROUNDS
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", KINDS)
async def test_tasks(plugin: AsyncBackend, kind: str, rounds: int) -> None:
    """Sixteen tasks of one loop, through a store with a root."""
    await race_of_tasks(AsyncStore(plugin, "some/root"), kind, rounds)


@ROUNDS
@pytest.mark.parametrize("kind", KINDS)
def test_threads(plugin: AsyncBackend, kind: str, rounds: int, eager_threads: None) -> None:
    """Sixteen threads with a loop each share one store."""
    race_of_threads(AsyncStore(plugin, "some/root"), kind, rounds)


class CheckThenAct(Recorder):
    """What must not be: it looks whether the key is free, and then overwrites."""

    async def _check(self, key: str, *, overwrite: bool) -> None:
        backend: Any = self._backend
        if not overwrite and await backend.exists(key):
            raise AlreadyExists("already exists", path=key)
        await asyncio.sleep(0)

    async def write(self, path: str, content: Any, *, overwrite: bool, metadata: Any) -> Any:
        await self._check(path, overwrite=overwrite)
        backend: Any = self._backend
        return await backend.write(path, content, overwrite=True, metadata=metadata)

    async def move(self, src: str, dst: str, *, overwrite: bool) -> None:
        await self._check(dst, overwrite=overwrite)
        backend: Any = self._backend
        await backend.move(src, dst, overwrite=True)

    async def copy(self, src: str, dst: str, *, overwrite: bool) -> None:
        await self._check(dst, overwrite=overwrite)
        backend: Any = self._backend
        await backend.copy(src, dst, overwrite=True)


@MUST_LOSE
@pytest.mark.asyncio
async def test_check_then_act_is_found_out_by_tasks(kind: str) -> None:
    """The same race with a backend that checks first fails, so the race can fail."""
    store = AsyncStore(as_backend(CheckThenAct(DictBackend())), "some/root")
    with pytest.raises(AssertionError, match="winners"):
        await race_of_tasks(store, kind, 3)


@MUST_LOSE
def test_check_then_act_is_found_out_by_threads(
    kind: str, make_backend: Callable[[str], AsyncBackend], eager_threads: None
) -> None:
    """The same race of threads fails with a backend that checks first."""
    store = AsyncStore(as_backend(CheckThenAct(make_backend("memory"))), "some/root")
    with pytest.raises(AssertionError, match="winners"):
        race_of_threads(store, kind, 200)


@pytest.mark.asyncio
async def test_different_keys_do_not_disturb_each_other(plugin: AsyncBackend) -> None:
    """Writers of keys in one new folder all succeed, whoever creates the folder."""
    store = AsyncStore(plugin, "some/root")
    for number in range(20):
        writes = (store.write(f"n{number}/a/b/f{i}", b"%d" % i) for i in range(WRITERS))
        await asyncio.gather(*writes)
        found = await collect(store.list_files(f"n{number}/a/b"))
        assert sorted(f.name for f in found) == sorted(f"f{i}" for i in range(WRITERS))


def test_overwriters_leave_one_whole_file(plugin: AsyncBackend, eager_threads: None) -> None:
    """Readers beside overwriting threads see one of the written contents, never a mixture."""
    store = AsyncStore(plugin, "some/root")
    bodies = {bytes([i]) * 50_000 for i in range(4)}
    in_new_loop(store.write("f", bytes([0]) * 50_000))
    seen: list[bytes] = []
    failures: list[BaseException] = []

    async def work(i: int) -> None:
        for _ in range(25):
            if i % 2:
                await store.write("f", bytes([i // 2]) * 50_000, overwrite=True)
            else:
                seen.append(await store.read_bytes("f"))

    def run(i: int) -> None:
        try:
            in_new_loop(work(i))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(seen) <= bodies
    assert len(seen) == 100


@pytest.mark.asyncio
async def test_two_movers_of_one_source(plugin: AsyncBackend) -> None:
    """One source moved by many to different places arrives once; the others find it gone."""
    store = AsyncStore(plugin, "some/root")

    async def take(i: int) -> bool:
        try:
            await store.move("src", f"to/{i}")
        except NotFound:
            return False
        return True

    for _ in range(50):
        await store.write("src", b"treasure")
        results = await asyncio.gather(*(take(i) for i in range(8)))
        assert results.count(True) == 1
        found = await collect(store.list_files("", recursive=True))
        assert [str(f.path) for f in found] == [f"to/{results.index(True)}"]
        await store.delete(str(found[0].path))


def test_fifty_loops_leave_nothing_open(plugin: AsyncBackend) -> None:
    """One store used by fifty loops one after another, none of which closes it."""
    store = AsyncStore(plugin)
    for i in range(50):
        asyncio.run(_round(store, i))
    assert len(in_new_loop(collect(store.list_files("")))) == 50


async def _round(store: AsyncStore, i: int) -> None:
    await store.write(f"f{i}", b"x" * i)
    assert await store.read_bytes(f"f{i}") == b"x" * i
    assert await store.exists(f"f{i}")
