"""Opening a store by URL, profile or name."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from remote_store._bridge.as_async import as_async
from remote_store._contract.async_backend import AsyncBackend
from remote_store._plugins.hub import hub
from remote_store._plugins.loading import load_backend, load_listeners
from remote_store._plugins.opening import (
    ConfiguredStore,
    configured_store,
    construct,
    located,
    refuse_target,
    scheme_of,
    validated,
)
from remote_store._store import rules
from remote_store._store.async_store import AsyncStore, store_over
from remote_store._types.errors import StoreClosed

if TYPE_CHECKING:
    from remote_store._plugins.config import RegistryConfig, StoreProfile

__all__ = ["AsyncRegistry", "StoreOpening", "open_store"]

_HOW: Final = "write 'store = await open_store(...)' or 'async with open_store(...) as store:'"


def open_store(target: str | StoreProfile, /, **options: Any) -> StoreOpening:
    """
    Open a store; ``await`` it, or enter it with ``async with``, which also closes it.

    Args:
        target: A URL whose scheme is the name of a backend, for example
            ``"local:///srv/data"``, or a profile whose ``backend`` is.
        options: Keyword arguments of the backend's constructor.

    Raises:
        PluginError: No plugin serves the name, or it is broken.
        ValueError: *target* has no scheme, or the backend refuses the URL or
            the options.
        TypeError: *target* is neither a str nor a profile.
    """
    return StoreOpening(target, options)


class StoreOpening:
    """
    A store that is being opened: awaitable, and an async context manager.

    It is not a store yet: any other use of it raises TypeError or
    AttributeError, with a message that says what was forgotten.
    """

    __slots__ = ("_options", "_store", "_target")

    def __init__(self, target: str | StoreProfile, options: Mapping[str, Any]) -> None:
        refuse_target(target)
        self._target = target
        self._options = options
        self._store: AsyncStore | None = None

    def __await__(self) -> Generator[Any, Any, AsyncStore]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncStore:
        self._store = await self._open()
        return self._store

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._store is not None:
            await self._store.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError(_not_open("pickled or copied"))

    def __repr__(self) -> str:
        # Without the target: what a URL holds may be a credential.
        return f"<StoreOpening: no store yet; {_HOW}>"

    if not TYPE_CHECKING:  # where these are mistakes without our help

        def __enter__(self) -> NoReturn:
            raise TypeError(_not_open("entered by 'with'"))

        def __exit__(self, *_: object) -> None:
            raise TypeError(_not_open("left by 'with'"))

        def __getattr__(self, name: str) -> NoReturn:
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            if hasattr(AsyncStore, name):
                msg = _not_open(f"used ({name})")
            raise AttributeError(msg, name=name, obj=self)

    async def _open(self) -> AsyncStore:
        load_listeners()
        target = self._target
        if not isinstance(target, str):
            name, root_path = target.backend.lower(), target.root_path
            backend = construct(load_backend(name), name, {**target.options, **self._options})
        else:
            name = scheme_of(target)
            found = located(load_backend(name), name, target, self._options)
            backend, root_path = await found if inspect.isawaitable(found) else found
        try:
            backend = await _connected(backend)
            backend = as_async(hub.wrap(backend, name))
            return store_over(backend, rules.root_key(root_path), owns=True)
        except BaseException:
            with contextlib.suppress(Exception):  # the caller gets the first error
                await _close(backend)
            raise


def _not_open(how: str) -> str:
    return f"a store was {how} before it was open; {_HOW}"


async def _connected(backend: Any) -> Any:
    """Return the backend that has looked at its service, where it offers that."""
    connected = getattr(backend, "connected", None)
    return backend if connected is None else await connected()


async def _close(backend: object) -> None:
    close = getattr(backend, "aclose", None)
    if close is not None:
        await close()
    elif (close := getattr(backend, "close", None)) is not None:
        await asyncio.to_thread(close)


class AsyncRegistry:
    """
    Stores by name, over backends that are built once and shared.

    ``async with`` closes the backends at the end.

    Args:
        config: The configuration; validated here, nothing is opened yet.

    Raises:
        ValueError: A store names an unknown backend.
    """

    def __init__(self, config: RegistryConfig | None = None) -> None:
        self._config = validated(config)
        # No lock guards them: what builds a backend is a plugin's code, which
        # may come back here, in this thread or in one that it waits for.
        self._built: dict[str, Any] = {}
        #: Those that stores may use: connected, and inside their wrappers.
        self._opened: dict[str, AsyncBackend] = {}

    async def get_store(self, name: str) -> AsyncStore:
        """
        Return a new store over the shared backend of its profile.

        A profile with options of its own gets a backend of its own. Threads
        that ask at the same moment may build another one, which is closed.
        Closing the store does nothing; close the registry.

        Args:
            name: Name of a store in the configuration.

        Raises:
            KeyError: There is no such store.
            PluginError: No plugin serves the backend's type, or it is broken.
            ValueError: The backend refuses its options.
            StoreClosed: The registry was closed meanwhile.
        """
        configured = configured_store(self._config, name)
        load_listeners()
        backend = self._opened.get(configured.key)
        if backend is None:
            backend = await self._open(configured)
        return store_over(backend, rules.root_key(configured.root_path), owns=False)

    async def _open(self, configured: ConfiguredStore) -> AsyncBackend:
        built = self._built.get(configured.key)
        if built is None:
            new = construct(
                load_backend(configured.backend), configured.backend, configured.options
            )
            built = self._built.setdefault(configured.key, new)
            if built is not new:  # another thread was faster
                with contextlib.suppress(Exception):
                    await _close(new)
        connected = await _connected(built)
        if (opened := self._opened.get(configured.key)) is not None:  # another task was faster
            return opened
        if self._built.get(configured.key) is not built:
            with contextlib.suppress(Exception):  # nobody else will
                await _close(connected)
            msg = "the registry was closed while it opened a store"
            raise StoreClosed(msg, backend=configured.backend)
        wrapped = as_async(hub.wrap(connected, configured.backend))
        return self._opened.setdefault(configured.key, wrapped)

    async def aclose(self) -> None:
        """
        Close every backend that was built, also when one fails to close.

        Raises:
            Exception: The first error of a backend's close, once all are closed.
        """
        first: BaseException | None = None
        while self._built:
            key, built = self._built.popitem()
            try:
                await _close(self._opened.pop(key, built))
            except BaseException as error:  # noqa: BLE001 - re-raised below
                first = first or error
        if first is not None:
            raise first

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncRegistry(stores={sorted(self._config.stores)})"
