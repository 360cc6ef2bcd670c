"""A bounded pool of threads for backends whose work blocks."""

from remote_store._threads.worker_pool import WorkerPool, settle

__all__ = ["WorkerPool", "settle"]
