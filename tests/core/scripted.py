"""A backend class that records what it gets, and a configuration that names it."""

from __future__ import annotations

from typing import Any

from remote_store import (
    BackendConfig,
    RegistryConfig,
    RetryPolicy,
    StoreProfile,
)
from remote_store.aio import AsyncBackend, AsyncStore


def scripted(**members: Any) -> type[Any]:
    """Return a backend class with the protocol's members, which records what it gets."""

    async def nothing(self: Any, *args: Any, **kwargs: Any) -> bool:
        return False

    async def aclose(self: Any) -> None:
        self.closed += 1
        if self.options.get("stubborn"):
            msg = "will not close"
            raise OSError(msg)

    def init(self: Any, **options: Any) -> None:
        self.options = options
        self.closed = 0
        cls.made.append(self)

    mandatory = AsyncBackend.__abstractmethods__ - {"name", "capabilities"}
    body: dict[str, Any] = dict.fromkeys(mandatory, nothing)
    body |= {"name": "scripted", "capabilities": (), "__init__": init, "aclose": aclose}
    cls: Any = type("ScriptedBackend", (), body | {"made": []} | members)
    return cls  # type: ignore[no-any-return]


def opened(store: AsyncStore) -> Any:
    return store._backend


CONFIG = RegistryConfig(
    backends={
        "main": BackendConfig("scripted", {"size": 1}, RetryPolicy(2)),
        "other": BackendConfig("scripted", {"stubborn": True}),
    },
    stores={
        "a": StoreProfile("main", "a"),
        "b": StoreProfile("main", "b"),
        "own": StoreProfile("main", options={"size": 2}),
        "other": StoreProfile("other"),
    },
)
