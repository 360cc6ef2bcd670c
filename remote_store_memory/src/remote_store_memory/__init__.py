"""The in-memory backend of remote_store, async and sync."""

from typing import TYPE_CHECKING, Any

from remote_store_memory._backend import AsyncMemoryBackend

__all__ = ["AsyncMemoryBackend", "MemoryBackend"]

if TYPE_CHECKING:
    from remote_store_memory._sync import MemoryBackend
else:

    def __getattr__(name: str) -> Any:
        if name == "MemoryBackend":  # an async program has no use for it
            from remote_store_memory._sync import MemoryBackend

            return globals().setdefault(name, MemoryBackend)
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
