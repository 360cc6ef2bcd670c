"""Opening a sync store by URL, profile or name."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from remote_store._contract import members
from remote_store._contract.backend import Backend
from remote_store._plugins.hub import hub
from remote_store._plugins.loading import load_backend, load_listeners
from remote_store._plugins.opening import (
    Locating,
    configured_store,
    construct,
    located,
    refuse_target,
    scheme_of,
    validated,
)
from remote_store._store import rules
from remote_store._store.store import Store, store_over

if TYPE_CHECKING:
    from remote_store._plugins.config import RegistryConfig, StoreProfile
    from remote_store._threads.loop_thread import LoopThread

__all__ = ["Registry", "open_store"]


def open_store(target: str | StoreProfile, /, **options: Any) -> Store:
    """
    Open a store; close it, or use it in a ``with`` statement.

    The plugin's native sync class is used where it has one, else its async
    class behind an `AsyncBackendSyncAdapter`.

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
    refuse_target(target)
    load_listeners()
    loop_thread = None
    if not isinstance(target, str):
        name, root_path = target.backend.lower(), target.root_path
        backend = construct(load_backend(name, sync=True), name, {**target.options, **options})
    else:
        name = scheme_of(target)
        found = located(load_backend(name, sync=True), name, target, options)
        if isinstance(found, Locating):
            from remote_store._threads.loop_thread import LoopThread

            # The backend goes on living on the loop that it was made on.
            loop_thread = LoopThread("AsyncBackendSyncAdapter")
            locating = found
            try:
                loop_thread.guard()
            except BaseException:
                locating.close()  # nobody will await it
                raise
            found = loop_thread.call(lambda: locating)
        backend, root_path = found
    opened = _wrapped(backend, name, loop_thread)
    try:
        return store_over(opened, rules.root_key(root_path), owns=True)
    except BaseException:
        _close_unused(opened)
        raise


def _wrapped(backend: Any, name: str, loop_thread: LoopThread | None = None) -> Backend:
    """Return a sync backend inside its wrappers; one that cannot be wrapped is closed."""
    try:
        wrapped = hub.wrap(backend, name)
        members.refuse_incomplete(wrapped)
        return _sync(wrapped, loop_thread)
    except BaseException:
        _close_unused(backend, loop_thread)
        raise


def _close_unused(backend: Any, loop_thread: LoopThread | None = None) -> None:
    # The caller gets the error that led here. This may not be a backend at all.
    with contextlib.suppress(Exception):
        _close(_sync(backend, loop_thread))


def _sync(backend: Any, loop_thread: LoopThread | None = None) -> Backend:
    """Return a backend that is sync: itself, or an adapter around it."""
    if members.is_async_backend(backend):
        # Not before it is needed: a sync program has no use for asyncio.
        from remote_store._bridge.to_sync import AsyncBackendSyncAdapter

        return AsyncBackendSyncAdapter(backend, loop_thread=loop_thread)
    return cast("Backend", backend)


def _close(backend: Backend) -> None:
    members.member(backend, "close", Backend)()


class Registry:
    """
    Stores by name, over backends that are built once and shared.

    ``with`` closes the backends at the end.

    Args:
        config: The configuration; validated here, nothing is opened yet.

    Raises:
        ValueError: A store names an unknown backend.
    """

    def __init__(self, config: RegistryConfig | None = None) -> None:
        self._config = validated(config)
        # No lock guards it: what builds a backend is a plugin's code, which may
        # come back here, in this thread or in one that it waits for.
        self._backends: dict[str, Backend] = {}

    def get_store(self, name: str) -> Store:
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
        """
        configured = configured_store(self._config, name)
        load_listeners()
        backend = self._backends.get(configured.key)
        if backend is None:
            cls = load_backend(configured.backend, sync=True)
            built = _wrapped(
                construct(cls, configured.backend, configured.options), configured.backend
            )
            backend = self._backends.setdefault(configured.key, built)
            if backend is not built:  # another thread was faster
                _close_unused(built)
        return store_over(backend, rules.root_key(configured.root_path), owns=False)

    def close(self) -> None:
        """
        Close every backend that was built, also when one fails to close.

        Raises:
            Exception: The first error of a backend's close, once all are closed.
        """
        first: BaseException | None = None
        while self._backends:
            _, backend = self._backends.popitem()
            try:
                _close(backend)
            except BaseException as error:  # noqa: BLE001 - re-raised below
                first = first or error
        if first is not None:
            raise first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Registry(stores={sorted(self._config.stores)})"
