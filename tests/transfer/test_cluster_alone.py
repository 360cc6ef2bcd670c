"""How an execution speaks with a cluster: one that is made of threads stands in for it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve
from tests.transfer.conftest import contents, fill

from remote_store import RemoteStoreError
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend
from remote_store_memory import AsyncMemoryBackend
from remote_store_transfer._cluster import batch as _batch
from remote_store_transfer._cluster import cluster as _cluster
from remote_store_transfer._cluster.batch import Batch, Stopped
from remote_store_transfer._copying.perform import Performer
from remote_store_transfer.aio import Progress, WorkerStore, execute, plan

pytestmark = pytest.mark.asyncio


class KilledWorker(Exception):
    """As the library's."""


class Task:
    def __init__(self, key: str, call: Future[Any]) -> None:
        self.key = key
        self.call = call

    @property
    def status(self) -> str:
        return "finished" if self.call.done() else "pending"

    def add_done_callback(self, function: Callable[[object], object]) -> None:
        self.call.add_done_callback(function)

    def result(self) -> Any:
        return self.call.result()

    def release(self) -> None:
        pass


class Client:
    """Two workers of one thread each."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(2)
        self.batches: list[Batch] = []
        self.tasks: list[Task] = []
        self.events: set[str] = set()
        self.run: Callable[[Callable[..., Any], Batch], Any] = lambda function, batch: function(
            batch
        )

    def submit(self, function: Callable[..., Any], batch: Batch, *, key: str, pure: bool) -> Task:
        assert not pure
        self.batches.append(batch)
        self.tasks.append(Task(key, self.pool.submit(self.run, function, batch)))
        return self.tasks[-1]

    def nthreads(self) -> dict[str, int]:
        return {"one": 1, "two": 1}

    def processing(self) -> dict[str, list[str]]:
        return {"one": [task.key for task in self.tasks if task.call.running()]}

    def cancel(self, tasks: list[Task]) -> None:
        for task in tasks:
            task.call.cancel()

    @property
    def loop(self) -> Any:
        return None


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A cluster that stands in for the library's."""
    made = Client()

    def event(name: str, client: object = None) -> SimpleNamespace:
        return SimpleNamespace(
            set=lambda: made.events.add(name), is_set=lambda: name in made.events
        )

    def worker() -> SimpleNamespace:
        return SimpleNamespace(address=threading.current_thread().name)

    library = SimpleNamespace(KilledWorker=KilledWorker, Event=event, get_worker=worker)
    monkeypatch.setitem(sys.modules, "distributed", library)
    yield made
    made.pool.shutdown()


@pytest.fixture
def source(tmp_path: Path) -> AsyncStore:
    return AsyncStore(AsyncLocalBackend(tmp_path / "a", fsync="never"))


@pytest.fixture
def target(tmp_path: Path) -> AsyncStore:
    return AsyncStore(AsyncLocalBackend(tmp_path / "b", fsync="never"))


FILES = {f"d{i % 3}/f{i}": b"x" * i for i in range(40)}


async def test_batches_and_their_sum(
    client: Client, source: AsyncStore, target: AsyncStore
) -> None:
    """All threads get some, deletions come after all else, and the counts are of every batch."""
    await fill(source, FILES)
    await fill(target, {"extra": b"1", "d0/f0": b"other"})
    seen: list[Progress] = []
    ended: list[str] = []
    async with plan(source, target, delete=True) as actions:
        report = await execute(
            actions, on=client, progress=seen.append, ended=lambda a, _: ended.append(a.path)
        )

    assert (report.copied, report.replaced, report.deleted, report.ok) == (39, 1, 1, True)
    assert report.size == seen[-1].bytes_done == sum(range(40))
    assert (seen[-1].files_done, seen[-1].files) == (41, 41)
    assert sorted(ended) == sorted([*FILES, "extra"])
    kinds = [{a.kind for a in batch.actions} for batch in client.batches]
    assert len(kinds) == 5
    assert kinds[-1] == {"delete"}
    assert await contents(target) == FILES

    async with plan(source, target) as actions:
        assert (await execute(actions, on=client)).skipped == 40
    assert len(client.batches) == 5

    # What is skipped makes no batch larger.
    await fill(source, {f"new{i}": b"1" for i in range(4)})
    async with plan(source, target) as actions:
        assert (await execute(actions, on=client)).copied == 4
    assert [len(batch.actions) for batch in client.batches[5:]] == [1, 1, 1, 1]


async def test_batches_are_bounded(
    client: Client, source: AsyncStore, target: AsyncStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By files and by bytes, and not all of them are on their way at once."""
    monkeypatch.setattr(_cluster, "_FILES", 4)
    monkeypatch.setattr(_cluster, "_BYTES", 50)
    monkeypatch.setattr(_cluster, "_LEAST", 1)
    await fill(source, FILES)
    waiting = []

    def run(function: Callable[..., Any], batch: Batch) -> Any:
        waiting.append(sum(not task.call.done() for task in client.tasks))
        return function(batch)

    client.run = run
    async with plan(source, target, order="name") as actions:
        assert (await execute(actions, on=client)).copied == 40

    for batch in client.batches:
        assert len(batch.actions) <= 4
        assert sum(a.size for a in batch.actions) <= 50
    assert max(waiting) <= 6


async def test_a_batch_that_is_done_again_is_right(
    client: Client, source: AsyncStore, target: AsyncStore
) -> None:
    """The first worker was lost after its last file."""
    await fill(source, FILES)
    await fill(target, {"d0/f0": b"other"})

    def run(function: Callable[..., Any], batch: Batch) -> Any:
        function(batch)
        return function(batch)

    client.run = run
    async with plan(source, target) as actions:
        report = await execute(actions, on=client)

    assert (report.copied, report.replaced, report.ok) == (39, 1, True)
    assert await contents(target) == FILES


async def test_a_batch_that_nobody_survives_fails(
    client: Client, source: AsyncStore, target: AsyncStore
) -> None:
    """Each of its files is a failure, the others arrive, and nothing is deleted."""
    await fill(source, FILES)
    await fill(target, {"extra": b"1"})

    def run(function: Callable[..., Any], batch: Batch) -> Any:
        if any(a.path == "d0/f30" for a in batch.actions):
            raise KilledWorker("four of them")
        return function(batch)

    client.run = run
    async with plan(source, target, delete=True) as actions:
        report = await execute(actions, on=client)

    assert (report.copied, len(report.failures), report.deletes_withheld) == (29, 11, 1)
    assert {f.error for f in report.failures} == {"KilledWorker"}
    assert len(await contents(target)) == 30


async def test_a_worker_with_another_target_is_noticed(
    client: Client, source: AsyncStore, target: AsyncStore, tmp_path: Path
) -> None:
    """As where a folder is each machine's own."""
    await fill(source, FILES)
    other = WorkerStore((tmp_path / "other").as_uri().replace("file:", "local:"))
    async with plan(source, target) as actions:
        with pytest.raises(RemoteStoreError, match="the worker's target is another one"):
            await execute(actions, on=client, worker_target=other)


@pytest.mark.parametrize("metadata", [True, False])
async def test_a_worker_with_another_source_is_noticed(
    client: Client, source: AsyncStore, target: AsyncStore, tmp_path: Path, metadata: bool
) -> None:
    """Files of the same names and sizes, copied by the system or read: none of them arrives."""
    await fill(source, FILES)
    folder = tmp_path / "other"
    other = AsyncStore(AsyncLocalBackend(folder, fsync="never"))
    await fill(other, {path: body.replace(b"x", b"y") for path, body in FILES.items()})
    (folder / "d0/f3").unlink()
    for path in FILES:
        os.utime(tmp_path / "a" / path, (1e9, 1e9))
    same = tmp_path / "a/d1/f1"
    (folder / "d1/f1").write_bytes(same.read_bytes())
    os.utime(folder / "d1/f1", (1e9, 1e9))
    opened = WorkerStore(folder.as_uri().replace("file:", "local:"))

    async with plan(source, target) as actions:
        report = await execute(actions, on=client, worker_source=opened, metadata=metadata)

    assert (report.copied, len(report.failures)) == (1, 39)
    assert all("not the planned one" in f.reason for f in report.failures), report
    assert {f.error for f in report.failures if f.path != "d0/f3"} == {"PreconditionFailed"}
    assert await contents(target) == {"d1/f1": b"x"}


async def test_who_gives_up_waits_for_the_end(
    client: Client, source: AsyncStore, target: AsyncStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches that run are stopped, those that wait are dropped, and nothing goes on."""
    monkeypatch.setattr(_batch, "_PULSE", 0.02)
    monkeypatch.setattr(_cluster, "_PATIENCE", 0.02)
    await fill(source, FILES)
    started = threading.Event()
    stopped: list[bool] = []

    async def stuck(*_: object) -> None:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Performer, "perform", stuck)

    def run(function: Callable[..., Any], batch: Batch) -> Any:
        try:
            return function(batch)
        except Stopped:
            stopped.append(True)
            raise

    client.run = run
    async with plan(source, target) as actions:
        working = asyncio.create_task(execute(actions, on=client))
        await asyncio.to_thread(started.wait)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    assert all(task.call.done() for task in client.tasks)
    assert len(stopped) == 2


async def test_a_batch_that_begins_too_late_does_nothing(
    client: Client, source: AsyncStore, target: AsyncStore
) -> None:
    """A worker got it while the execution was given up, which does not wait for it."""
    await fill(source, FILES)

    def run(function: Callable[..., Any], batch: Batch) -> Any:
        client.events.add(batch.job.stop)
        return function(batch)

    client.run = run
    async with plan(source, target) as actions:
        with pytest.raises(Stopped):
            await execute(actions, on=client)
    assert await contents(target) == {}


async def test_what_a_cluster_is_not_given(
    client: Client, source: AsyncStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is refused before anything is done."""
    await fill(source, {"a": b"1"})
    memory = AsyncStore(AsyncMemoryBackend())
    for options, error, message in (
        ({"on": client}, ValueError, "the target cannot go to the workers"),
        ({"on": "tcp://127.0.0.1:8786"}, TypeError, "takes a dask.distributed.Client, got str"),
        ({"worker_target": WorkerStore("memory://")}, ValueError, "on=client"),
    ):
        async with plan(source, memory) as actions:
            with pytest.raises(error, match=message):
                await execute(actions, **options)
    assert client.batches == []
    assert await contents(memory) == {}


async def test_one_store_is_opened_once(client: Client, tmp_path: Path) -> None:
    """It copies by itself there, too."""
    store = AsyncStore(AsyncLocalBackend(tmp_path / "a", fsync="never"))
    await fill(store, {"in/x": b"1"})
    async with plan(store, store, source_path="in", target_path="out") as actions:
        assert (await execute(actions, on=client)).copied == 1
    assert [evolve(b.job, source=b"").target for b in client.batches] == [None]
    assert await contents(store) == {"in/x": b"1", "out/x": b"1"}
