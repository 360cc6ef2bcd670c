"""The async API: the same names as in `remote_store_transfer`, over async stores."""

from typing import TYPE_CHECKING, Any

from remote_store_transfer._copying.arrival import Arrival
from remote_store_transfer._execute import execute
from remote_store_transfer._listing.filters import Filters
from remote_store_transfer._options import TreeOptions
from remote_store_transfer._planning.plan import Plan, plan
from remote_store_transfer._trees import copy_tree, sync_tree, verify_tree
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
    from remote_store_transfer._files import Deletion, copy_between, delete_many, write_with_digest
    from remote_store_transfer._progress import Progress
    from remote_store_transfer._verify_report import VerifyReport
else:
    # Not before they are asked for: most programs copy trees, have no cluster and watch nothing.
    _LATER = {
        "Deletion": "remote_store_transfer._files",
        "Progress": "remote_store_transfer._progress",
        "VerifyReport": "remote_store_transfer._verify_report",
        "WorkerStore": "remote_store_transfer._cluster.worker_store",
        "copy_between": "remote_store_transfer._files",
        "delete_many": "remote_store_transfer._files",
        "write_with_digest": "remote_store_transfer._files",
    }

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if module := _LATER.get(name):
            return globals().setdefault(name, getattr(import_module(module), name))
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
