"""Files on a local disk as a backend of `remote_store`, async and sync."""

from typing import TYPE_CHECKING, Any

from remote_store_local._backend import AsyncLocalBackend

__all__ = ["AsyncLocalBackend", "LocalBackend"]

if TYPE_CHECKING:
    from remote_store_local._sync import LocalBackend
else:

    def __getattr__(name: str) -> Any:
        if name == "LocalBackend":  # an async program has no use for it
            from remote_store_local._sync import LocalBackend

            return globals().setdefault(name, LocalBackend)
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
