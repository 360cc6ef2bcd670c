"""
What the conformance kit checks of this plugin; imported by the kit alone.

The kit is not a dependency: it passes its own `Target` class.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Final

from remote_store import AsyncBackendSyncAdapter
from remote_store.aio import AsyncBackend, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

__all__ = ["conformance_targets"]

#: The async class; the sync class made async; the async class made sync and async again.
_WAYS: Final[dict[str, Callable[[], AsyncBackend]]] = {
    "memory": AsyncMemoryBackend,
    "memory:sync": lambda: SyncBackendAdapter(MemoryBackend()),
    "memory:bridges": lambda: SyncBackendAdapter(AsyncBackendSyncAdapter(AsyncMemoryBackend())),
}


def conformance_targets(target: Callable[..., Any]) -> Iterator[Any]:
    """
    Offer a target for each way to a memory, which dies with its backend.

    Args:
        target: The kit's class of targets.
    """
    for name, make in _WAYS.items():
        yield target(name=name, open=_opener(make), environment="in-process", persistent=False)


def _opener(
    make: Callable[[], AsyncBackend],
) -> Callable[[object], contextlib.AbstractAsyncContextManager[AsyncBackend]]:
    @contextlib.asynccontextmanager
    async def opened(scratch: object) -> AsyncGenerator[AsyncBackend, None]:
        backend = make()
        try:
            yield backend
        finally:
            await backend.aclose()

    return opened
