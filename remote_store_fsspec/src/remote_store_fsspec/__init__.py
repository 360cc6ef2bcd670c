"""
Stores as filesystems of fsspec, and filesystems of fsspec as stores.

Programs rarely import this: fsspec finds `RemoteStoreFileSystem` by the
protocol ``remote-store``, and `remote_store.open_store` finds
`FsspecBackend` by the scheme ``fsspec``.
"""

from remote_store_fsspec._backend import FsspecBackend
from remote_store_fsspec._filesystem import RemoteStoreFileSystem

__all__ = ["FsspecBackend", "RemoteStoreFileSystem"]
