"""
Write file-storage code once; configuration decides where the files live.

The async API is in `remote_store.aio`. Backends come from plugins: see
`backends`, `load_backend` and `register_backend`.
"""

from remote_store._capabilities import Capability, CapabilitySet
from remote_store._errors import (
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
from remote_store._glob import GlobPattern
from remote_store._models import (
    UNKNOWN_TIME,
    ContentDigest,
    FileInfo,
    FolderEntry,
    FolderInfo,
    PathEntry,
    ResolutionPlan,
    WriteResult,
)
from remote_store._path import RemotePath
