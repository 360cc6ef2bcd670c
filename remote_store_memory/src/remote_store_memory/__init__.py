"""The in-memory backend of remote_store."""

from remote_store_memory._backend import AsyncMemoryBackend

__all__ = ["AsyncMemoryBackend"]
