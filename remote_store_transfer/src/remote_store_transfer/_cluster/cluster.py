"""The execution of a plan by the workers of a Dask cluster, in batches."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import CancelledError
from typing import Any, Final, Protocol

from remote_store import RemoteStoreError
from remote_store_transfer._cluster.batch import Batch, Done, Job, run_batch
from remote_store_transfer._cluster.worker_store import WorkerStore, carried
from remote_store_transfer._copying.tally import Outcome, Tally
from remote_store_transfer._planning.plan import Plan
from remote_store_transfer._values import Action, Failure

__all__ = ["Cluster", "DaskClient"]

#: Files and bytes of a batch: what is done again when a worker is lost.
_FILES: Final = 100
_BYTES: Final = 256 << 20
#: Batches on their way for each thread of the cluster, and at least.
_AHEAD: Final = 3
_LEAST: Final = 32
#: Seconds between two looks at the size of the cluster, which may adapt itself.
_LOOK: Final = 5.0
#: Seconds between two looks at what still runs after an execution was given up.
_PATIENCE: Final = 0.5


class DaskClient(Protocol):
    """What is used of a ``dask.distributed.Client``, synchronous or asynchronous."""

    @property
    def loop(self) -> Any:
        """Its loop, as Tornado sees it."""
        ...

    def submit(self, func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Have a worker call a function; return the future of its result."""
        ...

    def nthreads(self) -> Any:
        """Return the number of threads of each worker."""
        ...

    def processing(self) -> Any:
        """Return the keys of the tasks that each worker has."""
        ...

    def cancel(self, futures: Any) -> Any:
        """Forget tasks."""
        ...


class Cluster:
    """
    Has the workers of a cluster carry out actions.

    Args:
        client: The client.
        plan: The plan.
        tally: What becomes of its actions.
        source: How workers open the source; None if it travels by itself.
        target: The same for the target.
        concurrency: Files in flight in each batch.
        max_bytes_in_flight: Bytes in flight in each batch.
        retries: How often a file is tried again.
        metadata: Take user metadata along.

    Raises:
        TypeError: *client* is none, or one of another loop.
        ModuleNotFoundError: dask.distributed is not installed.
        ValueError: A store cannot travel by itself.
    """

    def __init__(
        self,
        client: DaskClient,
        plan: Plan,
        tally: Tally,
        source: WorkerStore | None,
        target: WorkerStore | None,
        *,
        concurrency: int,
        max_bytes_in_flight: int,
        retries: int,
        metadata: bool,
    ) -> None:
        if not callable(getattr(client, "submit", None)):
            msg = f"on takes a dask.distributed.Client, got {type(client).__name__}"
            raise TypeError(msg)
        self._awaited = bool(getattr(client, "asynchronous", False))
        if self._awaited and client.loop.asyncio_loop is not asyncio.get_running_loop():
            msg = "an asynchronous client serves its own loop only, with remote_store_transfer.aio"
            raise TypeError(msg)
        self._distributed: Any = importlib.import_module("distributed")
        self._client = client
        self._plan = plan
        self._tally = tally
        one_store = plan.one_store and source == target
        self._job = Job(
            source or carried(plan.source.store, "source"),
            None if one_store else target or carried(plan.target.store, "target"),
            plan.source.folder,
            plan.target.folder,
            concurrency,
            max_bytes_in_flight,
            retries,
            metadata,
            f"remote-store-transfer-{uuid.uuid4().hex}",
        )
        self._threads = 0
        self._limit = _LEAST
        self._looked = -_LOOK
        #: Workers whose files were seen in the target.
        self._trusted: set[str] = set()

    async def all(self, actions: AsyncGenerator[Action, None]) -> None:
        """
        Have all actions carried out.

        When this is left by an error or a cancellation, no batch runs any more.
        """
        running: dict[asyncio.Task[None], Any] = {}
        try:
            batches = self._batches(actions)
            async with contextlib.aclosing(actions), contextlib.aclosing(batches):
                async for batch in batches:
                    key = f"{self._job.stop}-{uuid.uuid4().hex}"
                    future = self._client.submit(run_batch, batch, key=key, pure=False)
                    running[asyncio.create_task(self._follow(batch, future))] = future
                    await self._look()
                    while len(running) >= self._limit:
                        await self._reap(running)
            while running:
                await self._reap(running)
        finally:
            if running:
                await self._give_up(running)

    async def delete_all(self, actions: AsyncGenerator[Action, None]) -> None:
        """Have all deletions carried out: each batch as its worker's store allows."""
        await self.all(actions)

    async def _batches(self, actions: AsyncGenerator[Action, None]) -> AsyncGenerator[Batch, None]:
        await self._look()
        # A small plan is spread over all threads, too.
        totals = self._plan.totals
        moves = totals.files - totals.skip - totals.conflict
        files = -(-moves // max(1, self._threads * 2))
        files = max(1, min(_FILES, files))
        gathered: list[Action] = []
        size = 0
        async for action in actions:
            if self._tally.passed(action):
                continue
            if gathered and (len(gathered) >= files or size + action.size > _BYTES):
                yield Batch(self._job, tuple(gathered))
                gathered, size = [], 0
            gathered.append(action)
            size += action.size
        if gathered:
            yield Batch(self._job, tuple(gathered))

    async def _look(self) -> None:
        """Adapt what is on its way to the size of the cluster."""
        if time.monotonic() - self._looked >= _LOOK:
            threads: dict[str, int] = await self._ask(self._client.nthreads)
            self._threads = sum(threads.values())
            self._limit = max(_LEAST, _AHEAD * self._threads)
            self._looked = time.monotonic()

    @staticmethod
    async def _reap(running: dict[asyncio.Task[None], Any]) -> None:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            running.pop(task).release()
        for error in [task.exception() for task in done]:
            if error is not None:
                raise error

    async def _follow(self, batch: Batch, future: Any) -> None:
        """Wait for a batch, and add up what became of it."""
        await _finished(future)
        try:
            done: Done = await self._ask(future.result)
        except (self._distributed.KilledWorker, CancelledError) as error:
            # Whether they arrived is not known here, and nobody is asked: the next run tells.
            reason = f"lost by the cluster, and perhaps done: {error}"
            for action in batch.actions:
                failure = Failure(action.path, action.kind, reason, type(error).__name__)
                self._tally.ended(action, Outcome(failure))
            return
        await self._trust(batch, done)
        for action, ended in zip(batch.actions, done.ended, strict=True):
            if ended.size:
                self._tally.moved(action, ended.size)
            self._tally.ended(action, ended)

    async def _trust(self, batch: Batch, done: Done) -> None:
        """
        Look at the first file of each worker: a folder may be another one on each machine.

        Raises:
            RemoteStoreError: The target does not have it.
        """
        if done.worker in self._trusted:
            return
        target = self._plan.target
        for action, ended in zip(batch.actions, done.ended, strict=True):
            if ended.failure is None and action.kind in ("copy", "replace"):
                path = target.at(action.path)
                try:
                    there = await target.store.is_file(path)
                except RemoteStoreError:
                    return  # nothing is known: the next batch is looked at
                self._trusted.add(done.worker)
                if not there:
                    msg = (
                        f"worker {done.worker} has written {path!r}, but the target does not "
                        "have it: the worker's target is another one"
                    )
                    raise RemoteStoreError(msg, path=path)
                return

    async def _give_up(self, running: dict[asyncio.Task[None], Any]) -> None:
        """Stop what is on its way, and wait until nothing of it runs."""
        # Batches look at it. It stays set, for one that begins at this moment.
        event = self._distributed.Event(self._job.stop, client=self._client)
        await self._ask(event.set)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        futures = list(running.values())
        while futures := [future for future in futures if future.status == "pending"]:
            keys: dict[str, list[str]] = await self._ask(self._client.processing)
            at_work = {key for worker in keys.values() for key in worker}
            waiting = [future for future in futures if future.key not in at_work]
            if waiting:
                await self._ask(functools.partial(self._client.cancel, waiting))
            await asyncio.sleep(_PATIENCE)

    async def _ask(self, function: Callable[..., Any]) -> Any:
        """Call what blocks with a synchronous client, and is awaited with an asynchronous one."""
        if not self._awaited:
            return await asyncio.to_thread(function)
        # Those who wait for results share one request of the client; it never forgets one
        # that was cancelled, and would raise its cancellation for everybody from then on.
        asking = asyncio.ensure_future(function())
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait([asking])
            if not asking.cancelled():
                asking.exception()
            raise


async def _finished(future: Any) -> None:
    """Wait until a task of the cluster has ended, in any way."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ended.done():
            ended.set_result(None)

    def tell(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # who waited has given up, and its loop is closed
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(tell)
    await ended
