"""
Stores as filesystems of fsspec, and filesystems of fsspec as stores.

Programs rarely import this: fsspec finds `RemoteStoreFileSystem` by the
protocol ``remote-store``, and `remote_store.open_store` finds
`FsspecBackend` by the scheme ``fsspec``.
"""

from typing import TYPE_CHECKING, Any

from remote_store_fsspec._backend import FsspecBackend

__all__ = ["FsspecBackend", "RemoteStoreFileSystem"]

if TYPE_CHECKING:
    from remote_store_fsspec._filesystem import RemoteStoreFileSystem
else:

    def __getattr__(name: str) -> Any:
        # Not before it is asked for: it brings fsspec along, and whoever looks
        # for backends loads this package.
        if name == "RemoteStoreFileSystem":
            from remote_store_fsspec._filesystem import RemoteStoreFileSystem

            return RemoteStoreFileSystem
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
