"""The execution of plans: bounded in files and bytes, on past failures, deletions last."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Final

from remote_store_transfer._copying.arrival import Answer
from remote_store_transfer._copying.batches import Batches
from remote_store_transfer._copying.copy import Copier
from remote_store_transfer._copying.perform import Performer
from remote_store_transfer._copying.tally import EndWatch, Outcome, Tally, Watch
from remote_store_transfer._listing.side import DISK
from remote_store_transfer._planning.plan import Plan
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import Action, TransferReport

if TYPE_CHECKING:
    from remote_store_transfer._cluster.cluster import Cluster, DaskClient
    from remote_store_transfer._cluster.worker_store import WorkerStore

__all__ = ["BYTES", "CONCURRENCY", "RETRIES", "execute"]

#: Files in flight.
CONCURRENCY: Final = 16
#: Bytes in flight.
BYTES: Final = 32 << 20
#: How often a file is tried again.
RETRIES: Final = 2
#: Deletions that are handed over at a time.
_DELETIONS: Final = 1000


async def execute(
    plan: Plan,
    *,
    on: DaskClient | None = None,
    worker_source: WorkerStore | None = None,
    worker_target: WorkerStore | None = None,
    concurrency: int = CONCURRENCY,
    max_bytes_in_flight: int = BYTES,
    progress: Watch | None = None,
    ended: EndWatch | None = None,
    retries: int = RETRIES,
    metadata: bool = True,
) -> TransferReport:
    """
    Do what a plan says.

    One failure stops nothing else. Each file of the target is the old one or
    the new one, whole, at every moment and also after a cancellation. A new
    file is written exclusively; one is replaced or deleted as the version
    that the plan saw, so that what somebody else wrote meanwhile is a failure
    and not lost. In a store without CONDITIONAL_WRITE, and where a file has no
    version token, it is looked at for that, and a write between that look and
    the commit is lost. A source that has changed since the plan is copied as
    it is now. Deletions come last, and are withheld if anything failed.

    With *on* the workers of a cluster do it, in batches of up to 100 files or
    256 MiB. A batch whose worker is lost is done again: what is in the target
    already then counts as done. A source that is not the version that the
    plan saw is a failure of that file, since a worker may see another one
    under the same name. A store that holds no secret goes to the
    workers by itself; of any other one has to say how they open it. When the
    execution is given up, running batches end within seconds, and are waited
    for.

    Args:
        plan: What `plan` returned; prepared here unless it is already.
        on: A ``dask.distributed.Client``; None for this process.
        worker_source: How the workers of *on* open the source; None if it
            can travel.
        worker_target: How they open the target.
        concurrency: Files in flight, or batches of small ones that a storage copies
            together; on a cluster for each thread of a worker.
        max_bytes_in_flight: Bytes of files in flight, of which a large file
            counts for 8 MiB at most, since it is streamed; on a cluster for
            each thread of a worker.
        progress: Called with a `Progress` at most ten times a second, and at
            the end. It must not block; what it raises ends the execution. On a
            cluster it moves with each batch.
        ended: Called after each action with its `Failure`, None where it went
            well; not for files that are equal, nor for actions that were
            withheld. As *progress* otherwise.
        retries: How often a file is tried again whose source changed
            meanwhile, or whose store did not answer.
        metadata: Take user metadata and content headers along where both
            sides keep them. Where the source's listing tells none, that costs
            one question for each file.

    Returns:
        What was done, and everything that failed.

    Raises:
        ValueError: A number is out of range; how workers open a store is said
            without *on*; or a store cannot travel, since it holds a secret or
            cannot be pickled.
        TypeError: *on* is no client, or an asynchronous one of another loop;
            or *plan* is one of the other API, sync or async.
        ModuleNotFoundError: *on* is given and dask.distributed not installed.
        NotFound, InvalidPath, RemoteStoreError, OSError: As `Plan.prepare`.
        RemoteStoreError: What a worker wrote is not in the target: it has
            another one.
        Exception: A worker cannot open a store, as its opening raised it.
    """
    if not isinstance(plan, Plan):
        msg = f"execute takes what plan of the same module has returned, got {type(plan).__name__}"
        raise TypeError(msg)
    for name, value, least in (
        ("concurrency", concurrency, 1),
        ("max_bytes_in_flight", max_bytes_in_flight, 1),
        ("retries", retries, 0),
    ):
        if value < least:
            msg = f"{name} must be at least {least}, got {value}"
            raise ValueError(msg)
    if on is None and (worker_source or worker_target):
        msg = "worker_source and worker_target are for a cluster: say which, by on=client"
        raise ValueError(msg)
    start = time.monotonic()
    await plan.prepare()
    tally = Tally(plan, progress, ended, start)
    crew: _ThisProcess | Cluster
    if on is None:
        crew = _ThisProcess(
            plan, tally, concurrency, max_bytes_in_flight, retries, metadata=metadata
        )
    else:
        # Only for programs that have a cluster.
        from remote_store_transfer._cluster.cluster import Cluster

        crew = Cluster(
            on,
            plan,
            tally,
            worker_source,
            worker_target,
            concurrency=concurrency,
            max_bytes_in_flight=max_bytes_in_flight,
            retries=retries,
            metadata=metadata,
        )
    try:
        async with contextlib.aclosing(plan.to_do()) as actions, task_group() as group:
            telling = group.create_task(tally.keep_telling())
            phases = _Phases(actions)
            await crew.all(phases.moves())
            if tally.deletes:
                await crew.delete_all(phases.deletions())
            else:
                tally.withhold()
            telling.cancel()
    finally:
        DISK.close()
    tally.tell()
    return tally.report()


class _ThisProcess:
    """Carries out actions here."""

    def __init__(
        self,
        plan: Plan,
        tally: Tally,
        concurrency: int,
        max_bytes_in_flight: int,
        retries: int,
        *,
        metadata: bool,
    ) -> None:
        copier = Copier(plan.source, plan.target, one_store=plan.one_store, metadata=metadata)
        self._performer = Performer(copier, max_bytes_in_flight, retries, again=False)
        self._tally = tally
        self._concurrency = concurrency

    async def all(self, actions: AsyncGenerator[Action, None]) -> None:
        """Have all actions carried out."""
        taking = asyncio.Lock()
        batches = Batches(actions, self._tally.passed, self._performer.goes_with_others)

        async def work() -> None:
            while True:
                async with taking:
                    batch = await batches.next()
                if not batch:
                    return
                async with batches.turn(len(batch)):
                    if len(batch) == 1:
                        await self._do(batch[0])
                    else:
                        await self._do_together(batch)

        async with contextlib.aclosing(actions), task_group() as group:
            for _ in range(self._concurrency):
                group.create_task(work())

    async def delete_all(self, actions: AsyncGenerator[Action, None]) -> None:
        """Have all deletions carried out, many by one request where the target has that."""
        async with contextlib.aclosing(actions):
            while batch := [a async for a in _first(_DELETIONS, actions)]:
                ended = await self._performer.delete_many(batch)
                if ended is None:
                    await self.all(_each(batch))
                    continue
                for action, outcome in zip(batch, ended, strict=True):
                    self._tally.ended(action, outcome)

    async def _do_together(self, actions: Sequence[Action]) -> None:
        answers = await self._performer.copy_many(actions)
        for action, one in zip(actions, answers or repeat(None, len(actions)), strict=True):
            if isinstance(one, Outcome):
                self._tally.moved(action, one.size)
                self._tally.ended(action, one)
            else:
                await self._do(action, one)

    async def _do(self, action: Action, answer: Answer | None = None) -> None:
        def advance(count: int) -> None:
            self._tally.moved(action, count)

        self._tally.ended(action, await self._performer.perform(action, advance, answer))


async def _first(count: int, actions: AsyncGenerator[Action, None]) -> AsyncGenerator[Action, None]:
    """Yield some actions, and leave the others where they are."""
    for _ in range(count):
        action = await anext(actions, None)
        if action is None:
            return
        yield action


async def _each(actions: list[Action]) -> AsyncGenerator[Action, None]:
    for action in actions:
        yield action


class _Phases:
    """The actions of a plan in two parts: what comes before the first deletion, and the rest."""

    def __init__(self, actions: AsyncGenerator[Action, None]) -> None:
        self._actions = actions
        self._first: Action | None = None

    async def moves(self) -> AsyncGenerator[Action, None]:
        async for action in self._actions:
            if action.kind == "delete":
                self._first = action
                return
            yield action

    async def deletions(self) -> AsyncGenerator[Action, None]:
        if self._first is not None:
            yield self._first
            async for action in self._actions:
                yield action
