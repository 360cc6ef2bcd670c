"""
The async API.

Backend classes of installed plugins can be imported from here by their name,
for example ``from remote_store.aio import AsyncMemoryBackend``; that is the
same class as in the plugin's own package, and nothing is imported before it
is asked for.
"""

from typing import TYPE_CHECKING, Any

from remote_store._contract.async_backend import AsyncBackend
from remote_store._contract.async_content import AsyncWritableContent, ContentSource
from remote_store._plugins.loading import lazy_classes as _lazy_classes
from remote_store._store.async_file import AsyncFile
from remote_store._store.async_glob_files import glob_files
from remote_store._store.async_open import AsyncRegistry, StoreOpening, open_store
from remote_store._store.async_store import AsyncStore
from remote_store.aio import ext as ext
from remote_store.aio import workers as workers

__all__ = [
    "AsyncBackend",
    "AsyncFile",
    "AsyncRegistry",
    "AsyncStore",
    "AsyncWritableContent",
    "ContentSource",
    "StoreOpening",
    "SyncBackendAdapter",
    "glob_files",
    "open_store",
]

if TYPE_CHECKING:
    from remote_store._bridge.to_async import SyncBackendAdapter
else:
    _plugin_class = _lazy_classes(__name__)

    def __getattr__(name: str) -> type[Any]:
        if name == "SyncBackendAdapter":  # an async program has no use for it
            from remote_store._bridge.to_async import SyncBackendAdapter

            return globals().setdefault(name, SyncBackendAdapter)
        return _plugin_class(name)
