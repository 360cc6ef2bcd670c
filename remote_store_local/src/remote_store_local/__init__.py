"""Files on a local disk as a backend of `remote_store`."""

from remote_store_local._backend import AsyncLocalBackend

__all__ = ["AsyncLocalBackend"]
