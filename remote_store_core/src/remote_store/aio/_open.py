"""Opening a store by URL, profile or name."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import Any, Self

from remote_store._config import BackendConfig, RegistryConfig, StoreProfile, resolve_secrets
from remote_store._hooks import hub
from remote_store._plugins import load_backend, load_listeners
from remote_store.aio._backend import AsyncBackend
from remote_store.aio._store import AsyncStore

__all__ = ["AsyncRegistry", "StoreOpening", "open_store"]


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
    """A store that is being opened: awaitable, and an async context manager."""

    __slots__ = ("_options", "_store", "_target")

    def __init__(self, target: str | StoreProfile, options: Mapping[str, Any]) -> None:
        if not isinstance(target, (str, StoreProfile)):
            msg = f"open_store takes a URL or a StoreProfile, got {type(target).__name__}"
            raise TypeError(msg)
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

    async def _open(self) -> AsyncStore:
        load_listeners()
        target = self._target
        if isinstance(target, StoreProfile):
            name, root_path = target.backend, target.root_path
            backend = _construct(name, {**target.options, **self._options})
        else:
            name = _scheme(target)
            backend, root_path = await _from_url(name, target, self._options)
        try:
            return AsyncStore(hub.wrap(backend, name), root_path)
        except BaseException:
            await _close(backend)
            raise


def _scheme(url: str) -> str:
    scheme, colon, _ = url.partition(":")
    # A single letter is a Windows drive.
    if not colon or len(scheme) < 2 or not scheme.isascii():
        msg = "a store's URL starts with the name of a backend, as in 'local:///srv/data'"
        raise ValueError(msg)
    return scheme.lower()


async def _from_url(name: str, url: str, options: Mapping[str, Any]) -> tuple[AsyncBackend, str]:
    cls = load_backend(name)
    from_url = getattr(cls, "from_url", None)
    if from_url is not None:
        try:
            opened = from_url(url, **resolve_secrets(options))
        except TypeError as error:
            raise _refused(name, options, error) from error
        backend, root_path = await opened if inspect.isawaitable(opened) else opened
        return backend, root_path
    from urllib.parse import unquote, urlsplit  # a tenth of the core's import, for few

    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment:
        # The URL is not repeated: what it holds may be a credential.
        msg = (
            f"backend {name!r} reads only a path from a URL ({name}:///folder); "
            "pass everything else as options"
        )
        raise ValueError(msg)
    return _construct(name, options), unquote(parts.path).strip("/")


def _construct(name: str, options: Mapping[str, Any]) -> AsyncBackend:
    cls = load_backend(name)
    try:
        backend: AsyncBackend = cls(**resolve_secrets(options))
    except TypeError as error:
        raise _refused(name, options, error) from error
    return backend


def _refused(name: str, options: Mapping[str, Any], error: TypeError) -> ValueError:
    given = ", ".join(sorted(options)) or "none"
    return ValueError(f"backend {name!r} refuses its options ({given}): {error}")


async def _close(backend: object) -> None:
    close = getattr(backend, "aclose", None)
    if close is not None:
        await close()


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
        self._config = config or RegistryConfig()
        self._config.validate()
        self._backends: dict[str, AsyncBackend] = {}
        self._lock = threading.Lock()

    async def get_store(self, name: str) -> AsyncStore:
        """
        Return a new store over the shared backend of its profile.

        A profile with options of its own gets a backend of its own. Closing
        the store does nothing; close the registry.

        Args:
            name: Name of a store in the configuration.

        Raises:
            KeyError: There is no such store.
            PluginError: No plugin serves the backend's type, or it is broken.
            ValueError: The backend refuses its options.
        """
        profiles = self._config.stores
        if name not in profiles:
            known = ", ".join(sorted(profiles)) or "none"
            msg = f"no store {name!r} in the configuration; known: {known}"
            raise KeyError(msg)
        profile = profiles[name]
        key = f"store:{name}" if profile.options else f"backend:{profile.backend}"
        load_listeners()
        with self._lock:
            if key not in self._backends:
                config = self._config.backends[profile.backend]
                backend = _construct(config.type, _constructor_options(config, profile))
                self._backends[key] = hub.wrap(backend, config.type)
            backend = self._backends[key]
        return AsyncStore(backend, profile.root_path, owns_backend=False)

    async def aclose(self) -> None:
        """
        Close every backend that was built, also when one fails to close.

        Raises:
            Exception: The first error of a backend's close, once all are closed.
        """
        with self._lock:
            backends = list(self._backends.values())
            self._backends.clear()
        first: BaseException | None = None
        for backend in backends:
            try:
                await _close(backend)
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


def _constructor_options(config: BackendConfig, profile: StoreProfile) -> dict[str, Any]:
    options = {**config.options, **profile.options}
    if config.retry is not None:
        options.setdefault("retry", config.retry)
    return options
