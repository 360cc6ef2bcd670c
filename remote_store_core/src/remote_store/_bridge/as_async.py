"""A backend of either kind as an async one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from remote_store._contract import members
from remote_store._contract.async_backend import AsyncBackend

if TYPE_CHECKING:
    from remote_store._contract.backend import Backend

__all__ = ["as_async"]


def as_async(backend: AsyncBackend | Backend) -> AsyncBackend:
    """
    Return *backend* itself if it is async, else a new adapter around it.

    Raises:
        TypeError: *backend* lacks members of the protocols.
    """
    if members.is_async_backend(backend):
        members.refuse_incomplete(backend)
        return cast("AsyncBackend", backend)
    # Only for programs that have a sync backend.
    from remote_store._bridge.to_async import SyncBackendAdapter

    return SyncBackendAdapter(cast("Backend", backend))  # which inspects it
