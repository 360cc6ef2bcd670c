"""What a filesystem of fsspec is, and how it gets its store."""

# fsspec states no types; what is inferred of its bodies is not what it means.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import weakref
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final

from fsspec.asyn import AsyncFileSystem, sync_wrapper

from remote_store.aio import AsyncStore
from remote_store_fsspec._errors import os_errors
from remote_store_fsspec._instances import Instances, sealed
from remote_store_fsspec._paths import PROTOCOL, Path, split
from remote_store_fsspec._source import Opened, Source

__all__ = ["Connected"]

#: Seconds that the end of the process waits for a store to close.
_CLOSING: Final = 6.0


class Connected(AsyncFileSystem, metaclass=Instances):
    """
    A filesystem that knows its store, and opens it for the first operation.

    The arguments are those of `RemoteStoreFileSystem`.
    """

    protocol: ClassVar[str] = PROTOCOL
    root_marker: ClassVar[str] = "/"
    async_impl: ClassVar[bool] = True
    mirror_sync_methods: ClassVar[bool] = True
    _extra_tokenize_attributes: ClassVar[tuple[str, ...]] = ("configuration",)

    def __init__(
        self,
        store: str | AsyncStore,
        *,
        config: str | os.PathLike[str] | None = None,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        batch_size: int | None = None,
        use_listings_cache: bool = False,
        listings_expiry_time: float | None = None,
        max_paths: int | None = None,
        **options: Any,
    ) -> None:
        self._source = Source(store, config, options)
        super().__init__(
            asynchronous=asynchronous, loop=loop, batch_size=batch_size, use_listings_cache=False
        )
        self._opened: Opened | None = None
        self._opening = asyncio.Lock()
        # fsspec asks the class and the instance; only the latter knows its store.
        self._strip_protocol = self._own_path  # type: ignore[method-assign]

    # What it is ------------------------------------------------------------

    @property
    def storage_options(self) -> dict[str, Any]:
        """The arguments that it was made with; those that are secret do not show themselves."""
        return self._storage_options

    @storage_options.setter
    def storage_options(self, options: Mapping[str, Any]) -> None:
        self._storage_options = sealed(options)

    @property
    def fsid(self) -> str:
        """Identifier of the arguments that it was made with."""
        return f"{PROTOCOL}-{self._fs_token}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._source})"

    @classmethod
    def _strip_protocol(cls, path: Path | list[Path]) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return f"/{split(path)[1]}"

    def _own_path(self, path: Path | list[Path]) -> Any:
        if isinstance(path, list):
            return [self._own_path(one) for one in path]
        return f"/{self._key(path)}"

    def _key(self, path: Path) -> str:
        """Return the path in the store, refusing one of another store."""
        name, key = split(path)
        if name and name != self._source.name:
            msg = f"the path names the store {name!r}; this is a filesystem of {self._source}"
            raise ValueError(msg)
        return key

    def unstrip_protocol(self, name: Path) -> str:
        """Return a path with the protocol and, where it has one, the name of the store."""
        return f"{PROTOCOL}://{self._source.name}/{self._key(name)}"

    @staticmethod
    def _get_kwargs_from_urls(path: Path) -> dict[str, str]:
        name, _ = split(path)
        return {"store": name} if name else {}

    # The store -------------------------------------------------------------

    async def _store(self) -> AsyncStore:
        """Return the store; the first call opens it."""
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    self._opened = await self._source.open()
                    _look_after(self, asyncio.get_running_loop(), self._opened)
        return self._opened.store

    async def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    close = sync_wrapper(_close)
    close.__doc__ = "Close what was opened for it; the next operation opens it anew."

    @contextlib.asynccontextmanager
    async def _at(self, *paths: str) -> AsyncIterator[AsyncStore]:
        """Enter with the store, in a block whose errors become those of the operating system."""
        store = await self._store()
        async with os_errors(store, *paths):
            yield store


class _Closing:
    """
    The closing of a store when nobody has its filesystem any more, or when the process ends.

    Args:
        loop: Where the store was opened.
        opened: The store.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, opened: Opened) -> None:
        self._loop = loop
        self._opened = opened
        self._pid = os.getpid()

    def __call__(self) -> concurrent.futures.Future[None] | None:
        """Begin it, without a wait: garbage may be collected in the loop's own thread."""
        _pending.discard(self)
        if os.getpid() != self._pid or not self._loop.is_running():
            return None
        return asyncio.run_coroutine_threadsafe(_closed(self._opened), self._loop)


_pending: set[_Closing] = set()


def _look_after(fs: Connected, loop: asyncio.AbstractEventLoop, opened: Opened) -> None:
    closing = _Closing(loop, opened)
    _pending.add(closing)
    weakref.finalize(fs, closing).atexit = False


async def _closed(opened: Opened) -> None:
    await opened.close()


@atexit.register
def _close_all() -> None:
    begun = [closing() for closing in list(_pending)]
    concurrent.futures.wait([closing for closing in begun if closing], _CLOSING)
