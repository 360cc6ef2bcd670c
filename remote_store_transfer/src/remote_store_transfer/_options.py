"""What whole transfers may be told: the options of plans and of executions, in one list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from remote_store import RemotePath
from remote_store_transfer._copying.tally import EndWatch, Watch
from remote_store_transfer._values import Compare, Links, Order

if TYPE_CHECKING:
    from remote_store import GlobPattern
    from remote_store_transfer._cluster.cluster import DaskClient
    from remote_store_transfer._cluster.worker_store import WorkerStore

__all__ = ["TreeOptions"]


class TreeOptions(TypedDict, total=False):
    """
    The options of `copy_tree` and `sync_tree` besides their own; what is not given is as there.

    Those up to *order* are as for `plan`, and those that follow as for `execute`.
    """

    #: Folder of the source.
    source_path: str | RemotePath
    #: Folder of the target.
    target_path: str | RemotePath
    #: How files are compared.
    compare: Compare
    #: Patterns of which one has to match.
    include: Iterable[str | GlobPattern]
    #: Patterns of which none may match.
    exclude: Iterable[str | GlobPattern]
    #: Only files that were modified after this time.
    newer: datetime | None
    #: Only files of at least so many bytes.
    min_size: int | None
    #: Only files of at most so many bytes.
    max_size: int | None
    #: What becomes of links.
    links: Links
    #: Which files come first.
    order: Order
    #: The client of a cluster.
    on: DaskClient | None
    #: How its workers open the source.
    worker_source: WorkerStore | None
    #: How its workers open the target.
    worker_target: WorkerStore | None
    #: Files in flight.
    concurrency: int
    #: Bytes of files in flight.
    max_bytes_in_flight: int
    #: Told how it goes on.
    progress: Watch | None
    #: Told of each action that does something that it is over.
    ended: EndWatch | None
    #: How often a file is tried again.
    retries: int
    #: Take user metadata and content headers along.
    metadata: bool
