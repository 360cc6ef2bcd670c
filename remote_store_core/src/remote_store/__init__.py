"""
Write file-storage code once; configuration decides where the files live.

This is the sync API; the async one is in `remote_store.aio`. Backends come
from plugins: see `list_backends`, `load_backend` and `register_backend`.
"""

import logging
from typing import TYPE_CHECKING, Any

from remote_store._contract.content import (
    SyncContentSource,
    WritableContent,
)
from remote_store._contract.left_out import (
    LeftOutCount,
    count_left_out,
)
from remote_store._contract.versions import (
    CONTRACT,
)
from remote_store._plugins.loading import LISTENERS as _LISTENERS
from remote_store._plugins.loading import (
    list_backends,
    load_backend,
    register_backend,
    unregister_backend,
)
from remote_store._plugins.loading import list_plugins as _list_plugins
from remote_store._plugins.references import (
    resolve_env,
)
from remote_store._types.capabilities import (
    Capability,
    CapabilitySet,
)
from remote_store._types.errors import (
    AlreadyExists,
    BackendUnavailable,
    CapabilityNotSupported,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PluginError,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
    StoreClosed,
)
from remote_store._types.models import (
    UNKNOWN_TIME,
    FileInfo,
    FolderEntry,
    PathEntry,
    WriteResult,
)
from remote_store._types.path import (
    RemotePath,
)
from remote_store._types.secrets import (
    Secret,
    SecretRedactionFilter,
    redact_url,
)

__all__ = [
    "CONTRACT",
    "UNKNOWN_TIME",
    "AlreadyExists",
    "AsyncBackendSyncAdapter",
    "Backend",
    "BackendConfig",
    "BackendPlugin",
    "BackendUnavailable",
    "Capability",
    "CapabilityNotSupported",
    "CapabilitySet",
    "ContentDigest",
    "ContentHeaders",
    "DirectoryNotEmpty",
    "FileInfo",
    "FolderEntry",
    "FolderInfo",
    "GlobPattern",
    "InvalidPath",
    "LeftOutCount",
    "NotFound",
    "OperationEvent",
    "PathEntry",
    "PermissionDenied",
    "PluginError",
    "PreconditionFailed",
    "Registry",
    "RegistryConfig",
    "RemotePath",
    "RemoteStoreError",
    "ResolutionPlan",
    "ResourceLocked",
    "RetryPolicy",
    "Secret",
    "SecretRedactionFilter",
    "Store",
    "StoreClosed",
    "StoreProfile",
    "SyncContentSource",
    "WritableContent",
    "WriteResult",
    "__version__",
    "count_left_out",
    "glob_files",
    "hookimpl",
    "info",
    "list_backends",
    "load_backend",
    "open_store",
    "redact_url",
    "register_backend",
    "register_plugin",
    "resolve_env",
    "unregister_backend",
    "unregister_plugin",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def info() -> dict[str, Any]:
    """
    Return the core's version and the names of what is installed beside it.

    Returns:
        ``version``, ``backends`` (names of backend plugins) and
        ``extensions`` (names of pluggy plugins). Nothing is imported.
    """
    return {
        "version": _version(),
        "backends": sorted({plugin.name for plugin in list_backends()}),
        "extensions": sorted({plugin.name for plugin in _list_plugins(_LISTENERS)}),
    }


def _version() -> str:
    from importlib.metadata import version  # slower to import than all of the core

    return version("remote-store-core")


if TYPE_CHECKING:
    from remote_store._bridge.to_sync import AsyncBackendSyncAdapter
    from remote_store._contract.backend import Backend
    from remote_store._plugins.config import (
        BackendConfig,
        RegistryConfig,
        RetryPolicy,
        StoreProfile,
    )
    from remote_store._plugins.entry_points import BackendPlugin
    from remote_store._plugins.event import OperationEvent
    from remote_store._plugins.hooks import (
        hookimpl,
        register_plugin,
        unregister_plugin,
    )
    from remote_store._store.glob_files import glob_files
    from remote_store._store.open import Registry, open_store
    from remote_store._store.store import Store
    from remote_store._types.content import ContentDigest, ContentHeaders
    from remote_store._types.folder_info import FolderInfo
    from remote_store._types.glob import GlobPattern
    from remote_store._types.resolution import ResolutionPlan

    __version__: str
else:
    # Not before they are asked for: a sync program has no use for asyncio, an
    # async one none for the sync store, most open a URL and name files, and few
    # listen, which takes pluggy.
    _LATER = {
        "AsyncBackendSyncAdapter": "remote_store._bridge.to_sync",
        "Backend": "remote_store._contract.backend",
        "BackendConfig": "remote_store._plugins.config",
        "BackendPlugin": "remote_store._plugins.entry_points",
        "ContentDigest": "remote_store._types.content",
        "ContentHeaders": "remote_store._types.content",
        "FolderInfo": "remote_store._types.folder_info",
        "GlobPattern": "remote_store._types.glob",
        "OperationEvent": "remote_store._plugins.event",
        "Registry": "remote_store._store.open",
        "RegistryConfig": "remote_store._plugins.config",
        "ResolutionPlan": "remote_store._types.resolution",
        "RetryPolicy": "remote_store._plugins.config",
        "Store": "remote_store._store.store",
        "StoreProfile": "remote_store._plugins.config",
        "glob_files": "remote_store._store.glob_files",
        "hookimpl": "remote_store._plugins.hooks",
        "open_store": "remote_store._store.open",
        "register_plugin": "remote_store._plugins.hooks",
        "unregister_plugin": "remote_store._plugins.hooks",
    }

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return _version()
        from importlib import import_module

        if name in ("authoring", "ext"):
            return import_module(f"remote_store.{name}")
        if module := _LATER.get(name):
            return globals().setdefault(name, getattr(import_module(module), name))
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name)
