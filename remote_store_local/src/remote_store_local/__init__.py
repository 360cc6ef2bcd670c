"""Files on a local disk as a backend of `remote_store`, async and sync."""

from remote_store_local._backend import AsyncLocalBackend
from remote_store_local._sync import LocalBackend

__all__ = ["AsyncLocalBackend", "LocalBackend"]
