"""
Copy, synchronise and verify trees between any two stores.

This is the sync API; `remote_store_transfer.aio` has the same names over
async stores.
"""

from typing import TYPE_CHECKING, Any

from remote_store_transfer._listing.filters import Filters
from remote_store_transfer._values import Action, Failure, Totals, TransferReport, Version

__all__ = [
    "Action",
    "Arrival",
    "Deletion",
    "Failure",
    "Filters",
    "Plan",
    "Progress",
    "Totals",
    "TransferReport",
    "TreeOptions",
    "VerifyReport",
    "Version",
    "WorkerStore",
    "copy_between",
    "copy_tree",
    "delete_many",
    "execute",
    "plan",
    "sync_tree",
    "verify_tree",
    "write_with_digest",
]

if TYPE_CHECKING:
    from remote_store_transfer._cluster.worker_store import WorkerStore
    from remote_store_transfer._copying.arrival import Arrival
    from remote_store_transfer._files import Deletion
    from remote_store_transfer._options import TreeOptions
    from remote_store_transfer._progress import Progress
    from remote_store_transfer._sync.execute import execute
    from remote_store_transfer._sync.files import copy_between, delete_many, write_with_digest
    from remote_store_transfer._sync.plan import Plan, plan
    from remote_store_transfer._sync.trees import copy_tree, sync_tree, verify_tree
    from remote_store_transfer._verify_report import VerifyReport
else:
    # Not before they are asked for: whoever imports the async API passes through here.
    _LATER = {
        "Arrival": "remote_store_transfer._copying.arrival",
        "Deletion": "remote_store_transfer._files",
        "Plan": "remote_store_transfer._sync.plan",
        "Progress": "remote_store_transfer._progress",
        "TreeOptions": "remote_store_transfer._options",
        "VerifyReport": "remote_store_transfer._verify_report",
        "WorkerStore": "remote_store_transfer._cluster.worker_store",
        "copy_between": "remote_store_transfer._sync.files",
        "copy_tree": "remote_store_transfer._sync.trees",
        "delete_many": "remote_store_transfer._sync.files",
        "execute": "remote_store_transfer._sync.execute",
        "plan": "remote_store_transfer._sync.plan",
        "sync_tree": "remote_store_transfer._sync.trees",
        "verify_tree": "remote_store_transfer._sync.trees",
        "write_with_digest": "remote_store_transfer._sync.files",
    }

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if module := _LATER.get(name):
            return globals().setdefault(name, getattr(import_module(module), name))
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
