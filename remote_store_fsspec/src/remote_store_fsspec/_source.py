"""From the arguments of a filesystem to its store."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import field, frozen

from remote_store import RegistryConfig, redact_url, resolve_env
from remote_store.aio import AsyncRegistry, AsyncStore, open_store

__all__ = ["Opened", "Source"]


@frozen
class Opened:
    """
    A store that can be used.

    Args:
        store: The store.
        close: Releases what was opened for it.
    """

    store: AsyncStore
    close: Callable[[], Awaitable[None]]


@frozen
class Source:
    """
    Where a filesystem's store comes from: a URL, a name in a configuration, or a store.

    Args:
        url: Of a store; None for the other two.
        store: Name of a store in the configuration, or a store.
        config: Path of the configuration's file; None for the environment
            variable ``REMOTE_STORE_CONFIG``.
        options: Of the backend, with a URL only.

    Raises:
        ValueError: None or more than one of these is given, or something that
            belongs to another one.
        TypeError: One has the wrong type.
    """

    url: str | None = field(repr=False)
    store: str | AsyncStore | None
    config: str | os.PathLike[str] | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.store is None):
            msg = "give a filesystem either url=... or store=..., for instance url='local:///srv'"
            raise ValueError(msg)
        if not isinstance(self.url, str | None):
            msg = f"url must be a str, got {type(self.url).__name__}"
            raise TypeError(msg)
        if not isinstance(self.store, str | AsyncStore | None):
            msg = (
                "store must be the name of a store in a configuration or an AsyncStore, "
                f"got {type(self.store).__name__}"
            )
            raise TypeError(msg)
        if self.config is not None and not isinstance(self.store, str):
            msg = "config=... needs store=..., the name of a store in that file"
            raise ValueError(msg)
        if self.options and self.url is None:
            names = ", ".join(sorted(self.options))
            msg = f"options of a backend need url=..., the configuration has its own: {names}"
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """Name of the store in the configuration, ``""`` without one."""
        return self.store if isinstance(self.store, str) else ""

    def __str__(self) -> str:
        return f"url={redact_url(self.url)!r}" if self.url else f"store={self.store!r}"

    async def open(self) -> Opened:
        """
        Open the store.

        Raises:
            ValueError: The environment names no configuration; else as
                `remote_store.aio.open_store` and `RegistryConfig.from_toml`.
        """
        if isinstance(self.store, AsyncStore):
            return Opened(self.store, _nothing)
        if self.store is None:
            # Text with ${NAME} stands for a variable of the process that opens it.
            given = resolve_env({"url": self.url, **self.options})
            store = await open_store(given.pop("url"), **given)
            return Opened(store, store.aclose)
        path = self.config or os.environ.get("REMOTE_STORE_CONFIG")
        if not path:
            msg = (
                f"the store {self.store!r} needs a file that describes it: config=... "
                "or the environment variable REMOTE_STORE_CONFIG"
            )
            raise ValueError(msg)
        config = await asyncio.to_thread(
            RegistryConfig.from_toml, path, resolve_env_vars=True, stores=[self.store]
        )
        registry = AsyncRegistry(config)
        try:
            return Opened(await registry.get_store(self.store), registry.aclose)
        except BaseException:
            await registry.aclose()
            raise


async def _nothing() -> None:
    pass
