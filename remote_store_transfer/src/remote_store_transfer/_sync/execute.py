"""The sync form of executions: it runs the async one on a loop of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remote_store_transfer import _execute
from remote_store_transfer._copying.tally import EndWatch, Watch
from remote_store_transfer._execute import BYTES, CONCURRENCY, RETRIES
from remote_store_transfer._sync.blocking import run
from remote_store_transfer._sync.plan import Plan
from remote_store_transfer._values import TransferReport

if TYPE_CHECKING:
    from remote_store_transfer._cluster.cluster import DaskClient
    from remote_store_transfer._cluster.worker_store import WorkerStore

__all__ = ["execute"]


# Body by hand: the stores are the plan's.
def execute(
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
        RuntimeError: An event loop runs in this thread.
    """
    if not isinstance(plan, Plan):
        msg = f"execute takes what plan of the same module has returned, got {type(plan).__name__}"
        raise TypeError(msg)
    work = _execute.execute(
        plan._actions,  # noqa: SLF001 - made for this
        on=on,
        worker_source=worker_source,
        worker_target=worker_target,
        concurrency=concurrency,
        max_bytes_in_flight=max_bytes_in_flight,
        progress=progress,
        ended=ended,
        retries=retries,
        metadata=metadata,
    )
    return run(work, *plan._stores)  # noqa: SLF001
