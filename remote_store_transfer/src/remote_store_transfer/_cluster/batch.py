"""What a worker of a cluster does: a batch of actions, over stores that it opens itself."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import AsyncExitStack
from typing import Any, Final

from attrs import frozen

from remote_store_transfer._cluster.worker_store import WorkerStore, opened
from remote_store_transfer._copying.copy import Copier
from remote_store_transfer._copying.perform import Performer
from remote_store_transfer._copying.tally import Outcome
from remote_store_transfer._listing.side import DISK, Side
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import Action

__all__ = ["Batch", "Done", "Job", "Stopped", "run_batch"]

#: Seconds between two questions whether the execution was given up.
_PULSE: Final = 1.0


class Stopped(Exception):
    """Raised in a batch whose execution was given up."""


@frozen
class Job:
    """
    What all batches of an execution have in common.

    Args:
        source: How the source is opened.
        target: How the target is opened; None if both sides are one store.
        source_folder: Folder of the source.
        target_folder: Folder of the target.
        concurrency: Files in flight.
        max_bytes_in_flight: Bytes in flight.
        retries: How often a file is tried again.
        metadata: Take user metadata along.
        stop: Name of the event that is set when the execution is given up.
    """

    source: WorkerStore | bytes
    target: WorkerStore | bytes | None
    source_folder: str
    target_folder: str
    concurrency: int
    max_bytes_in_flight: int
    retries: int
    metadata: bool
    stop: str


@frozen
class Batch:
    """
    Some actions of an execution.

    Args:
        job: What is common.
        actions: What to do, none of which depends on another.
    """

    job: Job
    actions: tuple[Action, ...]


@frozen
class Done:
    """
    What became of a batch.

    Args:
        ended: What became of each action, in their order.
        worker: Address of the worker.
    """

    ended: tuple[Outcome, ...]
    worker: str


def run_batch(batch: Batch) -> Done:
    """
    Do a batch in a task of a worker.

    It may have been done before, in part or as a whole, by a worker that was
    lost: what is in the target already counts as done.

    Raises:
        Stopped: The execution was given up.
        Exception: A store cannot be opened here.
    """
    # Only programs with a cluster have it.
    distributed: Any = importlib.import_module("distributed")
    # One that was given to this worker while the execution was given up: who waits for
    # the end does not know of it.
    if distributed.Event(batch.job.stop).is_set():
        raise Stopped
    ended = asyncio.run(_run(batch, distributed))
    return Done(tuple(ended), distributed.get_worker().address)


async def _run(batch: Batch, distributed: Any) -> list[Outcome]:
    job = batch.job
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(opened(job.source))
        target = source
        if job.target is not None:
            target = await stack.enter_async_context(opened(job.target))
        stack.callback(DISK.close)
        copier = Copier(
            Side(source, job.source_folder),
            Side(target, job.target_folder),
            one_store=job.target is None,
            metadata=job.metadata,
            exact=True,
        )
        performer = Performer(copier, job.max_bytes_in_flight, job.retries, again=True)
        async with task_group() as group:
            watching = group.create_task(_watch(distributed, job.stop))
            ended = await _perform(performer, batch.actions, job.concurrency)
            watching.cancel()
    return ended


async def _watch(distributed: Any, name: str) -> None:
    """Raise once the execution is given up."""
    while True:
        await asyncio.sleep(_PULSE)
        # A batch that takes no longer costs no second question. The context of the task, by
        # which the library knows its worker, goes into the thread.
        if await asyncio.to_thread(lambda: distributed.Event(name).is_set()):
            raise Stopped


async def _perform(
    performer: Performer, actions: tuple[Action, ...], concurrency: int
) -> list[Outcome]:
    if all(action.kind == "delete" for action in actions):
        together = await performer.delete_many(actions)
        if together is not None:
            return together
    ended: dict[int, Outcome] = {}
    places = iter(range(len(actions)))

    def ignore(_: int) -> None:
        pass

    async def work() -> None:
        for place in places:
            ended[place] = await performer.perform(actions[place], ignore)

    async with task_group() as group:
        for _ in range(min(concurrency, len(actions))):
            group.create_task(work())
    return [ended[place] for place in range(len(actions))]
