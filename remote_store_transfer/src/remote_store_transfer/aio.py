"""The async API: the same names as in `remote_store_transfer`, over async stores."""

from remote_store_transfer._cluster.worker_store import WorkerStore
from remote_store_transfer._copying.copy import Arrival
from remote_store_transfer._execute import execute
from remote_store_transfer._files import Deletion, copy_between, delete_many, write_with_digest
from remote_store_transfer._listing.filters import Filters
from remote_store_transfer._options import TreeOptions
from remote_store_transfer._planning.plan import Plan, plan
from remote_store_transfer._trees import copy_tree, sync_tree, verify_tree
from remote_store_transfer._values import (
    Action,
    Failure,
    Progress,
    Totals,
    TransferReport,
    VerifyReport,
    Version,
)

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
