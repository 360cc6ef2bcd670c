"""The in-memory backend of remote_store, async and sync."""

from remote_store_memory._backend import AsyncMemoryBackend
from remote_store_memory._sync import MemoryBackend

__all__ = ["AsyncMemoryBackend", "MemoryBackend"]
