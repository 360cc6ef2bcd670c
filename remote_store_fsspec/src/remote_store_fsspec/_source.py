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
        store: URL of a store, which has a colon; name of a store in the
            configuration, which has none; or a store.
        config: With a name: path of the configuration's file, None for the
            environment variable ``REMOTE_STORE_CONFIG``.
        options: With a URL: of the backend.

    Raises:
        TypeError: *store* is missing, or something else.
        ValueError: *config* or *options* do not belong to *store*.
    """

    store: str | AsyncStore = field(repr=lambda store: _shown(store))
    config: str | os.PathLike[str] | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.store, str | AsyncStore):
            msg = (
                "a filesystem needs store=..., the URL of a store ('local:///srv/data'), the name "
                f"of one in a configuration, or an AsyncStore; got {type(self.store).__name__}"
            )
            raise TypeError(msg)
        if self.config is not None and not self.name:
            msg = "config=... needs the name of a store in that file as store=..."
            raise ValueError(msg)
        if self.options and not self.is_url:
            names = ", ".join(sorted(self.options))
            msg = f"options of a backend need a URL as store=..., other stores have theirs: {names}"
            raise ValueError(msg)

    @property
    def is_url(self) -> bool:
        """Whether the store is given by its URL."""
        return isinstance(self.store, str) and ":" in self.store

    @property
    def name(self) -> str:
        """Name of the store in the configuration, ``""`` without one."""
        return self.store if isinstance(self.store, str) and ":" not in self.store else ""

    def __str__(self) -> str:
        return _shown(self.store)

    async def open(self) -> Opened:
        """
        Open the store.

        Raises:
            ValueError: The environment names no configuration; else as
                `remote_store.aio.open_store` and `RegistryConfig.from_toml`.
        """
        if isinstance(self.store, AsyncStore):
            return Opened(self.store, _nothing)
        if self.is_url:
            # Text with ${NAME} stands for a variable of the process that opens it.
            options: dict[str, Any] = resolve_env(dict(self.options))
            store = await open_store(resolve_env([self.store])[0], **options)
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


def _shown(store: str | AsyncStore) -> str:
    return repr(redact_url(store) if isinstance(store, str) else store)


async def _nothing() -> None:
    pass
