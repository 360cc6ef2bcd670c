"""
From a location to an open store and a key in it.

The store of a URL is opened at the folder that holds the named file or
folder, so that what the backend finds out when it is opened is true of the
place where the data is. Two URLs of one command that differ only in their
path share one store at their closest common folder: only then can the
backend itself move and copy between them.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self

from attrs import define, evolve, frozen

from remote_store import (
    InvalidPath,
    NotFound,
    PluginError,
    RegistryConfig,
    RemoteStoreError,
    ResolutionPlan,
    Secret,
    load_backend,
)
from remote_store.aio import AsyncRegistry, AsyncStore, open_store
from remote_store_cli._console import hide
from remote_store_cli._location import Location, Origin, parse
from remote_store_cli._outcome import EXPECTED, InvalidCommand, describe, reason_of
from remote_store_cli._output import printable
from remote_store_cli._parallel import each, in_parallel
from remote_store_cli._settings import BackendOptions, Stores, read_config

__all__ = ["Look", "OpenedPath", "Opener", "is_within", "kind_of", "look_at"]

#: Questions at a time about what is at locations.
_ASKING: Final = 16


#: Kind of the plans whose native paths are paths of this machine.
_LOCAL: Final = "async-local"


@frozen
class OpenedPath:
    """
    A file or folder in an open store.

    Args:
        store: The store.
        key: Path in it; ``""`` for its root.
        location: What the user wrote.
        root: Path of the store's root in the location.
        name: Path below the location, where it is not the location itself.
    """

    store: AsyncStore
    key: str
    location: Location
    root: str = ""
    name: str = ""

    def at(self, name: str) -> OpenedPath:
        """Return the path of *name* in this folder."""
        return evolve(self, key=_joined(self.key, name), name=_joined(self.name, name))

    def text(self, path: str = "") -> str:
        """Return a path in this folder as the user would write it."""
        return self.location.below(_joined(self.name, path))

    def text_of(self, path: str | None) -> str:
        """Return a path that an error names as the user would write it, as far as that is known."""
        if not path:
            return self.text()
        # Errors of a backend name its own path, which begins with the root of the store.
        roots = self.root.split("/")
        for start in range(len(roots) + 1):
            known = _joined("/".join(roots[start:]), self.key)
            if known and _is_below(path, known):
                return self.text(path[len(known) + 1 :])
        if self.key:
            _, found, rest = f"/{path}/".partition(f"/{self.key}/")
            return self.text(rest.rstrip("/")) if found else path
        return path if isinstance(self.location.origin, str) else self.text(path)


class Opener:
    """
    Opens the stores of one command's locations, and closes them.

    Args:
        texts: All locations of the command, as they were given.
        stores: What is known of the stores.
        follow: Take a link for what it leads to, see `parse`.

    Raises:
        InvalidCommand: A location, an option or the configuration is wrong.
        PluginError: A plugin is missing or broken.
    """

    def __init__(
        self,
        texts: Sequence[str],
        stores: Stores,
        *,
        follow: bool = True,
    ) -> None:
        self.locations = [parse(text, follow=follow) for text in texts]
        self._options = BackendOptions.parse(stores.options)
        origins = [loc.origin for loc in self.locations]
        self._options.check_used(o.scheme for o in origins if isinstance(o, Origin))
        names = [o for o in origins if isinstance(o, str)]
        self._config = read_config(stores.config, names) if names else RegistryConfig()
        self._bases = _shared_bases(self.locations)
        self._stores: dict[object, AsyncStore] = {}
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exit.aclose()

    async def open(self, location: Location, *, create: bool = False) -> OpenedPath:
        """
        Open the store of one of the locations.

        Args:
            location: One of `locations`.
            create: It is going to be written to: its root may be created.
                Without it a backend that would create its root at opening
                (one whose constructor takes ``create_root``) gets ``create_root=False``.

        Raises:
            InvalidCommand: The backend refuses the URL or its options.
            PluginError: The plugin is missing or broken.
            RemoteStoreError: The store cannot be opened.
        """
        base = self._bases[location]
        key = "/".join(location.segments[base:])
        if "\\" in key:
            # A store would take it for "/", and so for another file.
            msg = f"{location.text!r}: no path in a store can hold a backslash"
            raise InvalidCommand(msg)
        identity = (location.origin, location.segments[:base])
        if identity not in self._stores:
            self._stores[identity] = await self._open(location, base, create=create)
        root = "/".join(location.segments[:base])
        return OpenedPath(self._stores[identity], key, location, root)

    def plugin_class(self, location: Location) -> type[Any]:
        """Return the class that serves one of the locations."""
        origin = location.origin
        if isinstance(origin, Origin):
            return load_backend(origin.scheme)
        return load_backend(self._config.backends[self._config.stores[origin].backend].type)

    async def _open(self, location: Location, base: int, *, create: bool) -> AsyncStore:
        try:
            if isinstance(location.origin, str):
                return await self._open_named(location.origin, create=create)
            return await self._open_url(location, location.origin, base, create=create)
        except RemoteStoreError:
            raise  # some of them are ValueErrors, too
        except ValueError as error:
            msg = f"{location.text}: {reason_of(error)}"
            raise InvalidCommand(msg) from error
        except (TypeError, ImportError) as error:
            msg = f"the plugin of {location.text} cannot be used: {reason_of(error)}"
            raise PluginError(msg) from error

    async def _open_url(
        self, location: Location, origin: Origin, base: int, *, create: bool
    ) -> AsyncStore:
        # An option is meant for what was written as a URL, where anything was.
        unscoped = location.is_url or not any(other.is_url for other in self.locations)
        options = self._options.of(origin.scheme, unscoped=unscoped)
        _hide_declared(origin.scheme, options)
        if not create:
            options = _without_creation(origin.scheme, options)
        return await self._exit.enter_async_context(
            open_store(origin.url(location.segments[:base]), **options)
        )

    async def _open_named(self, name: str, *, create: bool) -> AsyncStore:
        config = self._config
        used = config.stores[name].backend
        backend = config.backends[used]
        _hide_declared(backend.type, {**backend.options, **config.stores[name].options})
        if not create:
            options = _without_creation(backend.type, backend.options)
            config = evolve(
                config, backends={**config.backends, used: evolve(backend, options=options)}
            )
        registry = await self._exit.enter_async_context(AsyncRegistry(config))
        try:
            return await registry.get_store(name)
        except InvalidPath as error:
            msg = f"the root of @{name} cannot be used: {describe(error)}"
            raise InvalidCommand(msg) from error


def _hide_declared(plugin: str, options: Mapping[str, Any]) -> None:
    """Hide what only the plugin's class knows to be secret."""
    for name in getattr(load_backend(plugin), "SECRET_OPTIONS", ()):
        if isinstance(value := options.get(name), (str, Secret)):
            hide(value)


def _without_creation(plugin: str, options: Mapping[str, Any]) -> dict[str, Any]:
    try:
        parameters = inspect.signature(load_backend(plugin)).parameters
    except ValueError:  # a class of an extension module need not have a signature
        return dict(options)
    return {"create_root": False, **options} if "create_root" in parameters else dict(options)


def _shared_bases(locations: Sequence[Location]) -> dict[Location, int]:
    """Return for each location how many of its segments are the root of its store."""
    bases = {location: location.base for location in locations}
    for origin in {location.origin for location in locations}:
        group = [loc for loc in bases if loc.origin == origin and not loc.explicit_root]
        if not group:
            continue
        levels = zip(*(loc.segments[: loc.base] for loc in group), strict=False)
        common = len(list(itertools.takewhile(lambda level: len(set(level)) == 1, levels)))
        shared = group[0].segments[:common]
        # A root that the user chose is kept: there may be nothing to open above it. What
        # lies below it is opened there, too.
        for chosen in locations:
            if chosen.origin == origin and chosen.explicit_root:
                root = chosen.segments[: chosen.base]
                if shared[: len(root)] == root:
                    common = min(common, len(root))
        bases |= dict.fromkeys(group, common)
    return bases


@define
class Look:
    """
    What was found at a location.

    Args:
        location: The location.
        opened: Where it is; None if its store could not be opened.
        kind: What is there; None if nothing is, or that is not known.
        error: Why it is not known, or that nothing is there.
    """

    location: Location
    opened: OpenedPath | None = None
    kind: Literal["file", "folder"] | None = None
    error: Exception | None = None


async def look_at(opener: Opener, locations: Sequence[Location]) -> list[Look]:
    """
    Find what is at locations, many at a time; a failure of one keeps no other.

    Raises:
        InvalidCommand: A backend refuses a URL or its options.
        PluginError: A plugin is missing or broken.
    """
    looks = [Look(location) for location in locations]

    async def ask(look: Look) -> None:
        assert look.opened is not None
        try:
            look.kind = await kind_of(look.opened)
        except EXPECTED as error:
            look.error = error

    for look in looks:
        try:
            look.opened = await opener.open(look.location)
        except PluginError:
            raise
        except EXPECTED as error:
            look.error = error
    await in_parallel(each(look for look in looks if look.opened), _ASKING, ask)
    return looks


async def kind_of(opened: OpenedPath) -> Literal["file", "folder"]:
    """
    Find what is at a path: a file or a folder.

    Raises:
        NotFound: Nothing is there.
    """
    if not opened.key:
        if await opened.store.is_folder(""):
            return "folder"
        msg = f"no such folder: {printable(opened.location.text)}"
        try:
            await opened.store.ping()
        except NotFound as error:  # the storage itself is missing
            msg = f"{msg}: {reason_of(error)}"
        raise NotFound(msg)
    if await opened.store.is_file(opened.key):
        return "file"
    if await opened.store.is_folder(opened.key):
        return "folder"
    msg = f"no such file or folder: {printable(opened.location.text)}"
    raise NotFound(msg, path=opened.key)


def is_within(inner: OpenedPath, outer: OpenedPath) -> bool | None:
    """
    Find out whether *inner* is *outer* or lies in it.

    Returns:
        None when it is not known: the two were named in different ways, and
        the backend does not say where its files are.
    """
    same = inner.location.origin == outer.location.origin
    if same and _is_below(_joined(inner.root, inner.key), _joined(outer.root, outer.key)):
        return True
    a, b = inner.store.resolve(inner.key), outer.store.resolve(outer.key)
    if a.kind == b.kind == _LOCAL:
        # Only here two names of one origin can be one folder: a link leads there.
        return _is_below(os.path.realpath(a.native_path), os.path.realpath(b.native_path))
    if same or a.kind != b.kind:
        return False
    if not a.details or not b.details:
        return None
    return _whereabouts(a) == _whereabouts(b) and _is_below(a.native_path, b.native_path)


def _whereabouts(plan: ResolutionPlan) -> dict[str, object]:
    """Return what a plan says beyond its path."""
    return {
        name: value
        for name, value in plan.details.items()
        if not (isinstance(value, str) and _is_below(plan.native_path, value))
    }


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _is_below(path: str, folder: str) -> bool:
    folder = folder.rstrip("/")
    return path == folder or not folder or path.startswith(f"{folder}/")
