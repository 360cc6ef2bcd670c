"""Backends that count calls, and that can be told to do something at one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote_store import Capability, CapabilitySet
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend
from remote_store_memory import AsyncMemoryBackend


class Watched:
    """A backend that counts its calls; members can be replaced."""

    def __init__(self, backend: Any, **members: Any) -> None:
        self.backend = backend
        self.members = members
        self.calls: Counter[str] = Counter()
        #: Every call with its path, in order.
        self.log: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        member = own["members"].get(name) or getattr(own["backend"], name)
        if not callable(member) or name in ("unwrap", "native_path", "to_key", "resolve"):
            return member

        def call(*args: Any, **options: Any) -> Any:
            own["calls"][name] += 1
            own["log"].append((name, args[0] if args else ""))
            return member(*args, **options)

        return call


def watched(store: AsyncStore) -> Watched:
    backend = store._backend
    assert isinstance(backend, Watched)
    return backend


def without(store: AsyncStore, capability: Capability) -> AsyncStore:
    """Return a store over the same backend that does not declare a capability."""
    backend = watched(store)
    backend.members["capabilities"] = CapabilitySet(
        set(backend.backend.capabilities) - {capability}
    )
    return AsyncStore(backend)


Make = Callable[..., AsyncStore]


@pytest.fixture
def memory() -> Make:
    """Make stores over memory."""
    return lambda **members: AsyncStore(Watched(AsyncMemoryBackend(), **members))


@pytest.fixture
def local(tmp_path: Path) -> Make:
    """Make stores over folders."""

    def make(name: str = "a", **members: Any) -> AsyncStore:
        return AsyncStore(Watched(AsyncLocalBackend(tmp_path / name), **members))

    return make


async def fill(store: AsyncStore, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        await store.write(path, content, overwrite=True)


async def contents(store: AsyncStore) -> dict[str, bytes]:
    found = [info.path.as_posix() async for info in store.list_files("", recursive=True)]
    return {path: await store.read_bytes(path) for path in sorted(found)}
