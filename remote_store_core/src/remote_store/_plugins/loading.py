"""
Who serves a backend name: entry points of the installed distributions.

Listing reads metadata and imports nothing; loading imports exactly one
plugin. A name, in lower case, has one answer or is an error.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from remote_store._types.errors import PluginError
from remote_store._types.secrets import declared_options, redact_url

if TYPE_CHECKING:
    from remote_store._plugins.entry_points import BackendPlugin, EntryPoint

__all__ = [
    "BACKENDS",
    "EXTRAS",
    "LISTENERS",
    "SYNC_BACKENDS",
    "find_class",
    "import_plugin",
    "install_line",
    "lazy_classes",
    "list_backends",
    "list_plugins",
    "load_backend",
    "load_listeners",
    "register_backend",
    "unreadable",
    "unregister_backend",
]

#: Entry point group of the backend classes, which are async.
BACKENDS: Final = "remote_store.backends"
#: Entry point group of native sync classes, under the same names.
SYNC_BACKENDS: Final = "remote_store.sync_backends"
#: Entry point group of pluggy plugins.
LISTENERS: Final = "remote_store.plugins"

#: Comma-separated names; when set, all others are switched off.
ALLOW: Final = "REMOTE_STORE_PLUGINS"
#: Comma-separated names that are switched off.
DENY: Final = "REMOTE_STORE_DISABLE_PLUGINS"

#: Names and classes of our own plugins, and the extra that brings each.
EXTRAS: Final = {
    "memory": "memory",
    "AsyncMemoryBackend": "memory",
    "MemoryBackend": "memory",
    "local": "local",
    "file": "local",
    "AsyncLocalBackend": "local",
    "LocalBackend": "local",
    "azure": "azure",
    "az": "azure",
    "AsyncAzureBackend": "azure",
}

_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+.-]+"

_registered: dict[str, type[Any]] = {}
_listening: set[BackendPlugin] = set()
#: Held while listeners are imported: a store that is opened meanwhile waits for
#: its wrappers and secrets. A listener may open a store itself, hence reentrant.
_loading = threading.RLock()
#: The listener that is being imported, and the thread that does it.
_importing: tuple[BackendPlugin, int] | None = None
#: Seconds that it waits. An import that never ends may be waiting for its own import.
_PATIENCE: Final = 30.0


def install_line(name: str) -> str | None:
    """Return the command that installs the plugin of a name or class of ours, else None."""
    extra = EXTRAS.get(name)
    return f"pip install 'remote-store-core[{extra}]'" if extra else None


def list_backends() -> list[BackendPlugin]:
    """
    Return the installed backend plugins, sorted by name; imports none of them.

    A name that two distributions claim appears once for each. A sync class is
    listed only where its name has no async one. A distribution whose metadata
    cannot be read is left out with a RuntimeWarning.
    """
    plugins = list_plugins(BACKENDS)
    names = {plugin.name for plugin in plugins}
    alone = [plugin for plugin in list_plugins(SYNC_BACKENDS) if plugin.name not in names]
    return sorted(plugins + alone, key=lambda plugin: plugin.name)


def list_plugins(group: str) -> list[BackendPlugin]:
    """Return the entry points of a group, sorted by name; imports none of them."""
    return [plugin for plugin, _ in _entries(group)]


def unreadable() -> list[str]:
    """Return what is wrong with each distribution whose metadata cannot be read."""
    return _scanned()[1]


def load_backend(name: str, *, sync: bool = False) -> type[Any]:
    """
    Return the backend class that serves *name*.

    Args:
        name: A registered name (`register_backend`) or an entry point's, in
            any case.
        sync: Prefer the plugin's native sync class. Where there is only one
            class, async or sync, that one is returned either way.

    Raises:
        PluginError: No plugin serves the name (the message says how to
            install one of ours, or lists what is installed), two
            distributions claim it, it is switched off, its import fails, or
            its class declares its secret options wrongly.
    """
    name = name.lower()
    cls = _registered.get(name) or _installed(name, sync=sync)
    declared_options(cls, "SECRET_OPTIONS")  # no configuration shows them from now on
    return cls


def _installed(name: str, *, sync: bool) -> type[Any]:
    claims = _claims(name, (SYNC_BACKENDS, BACKENDS) if sync else (BACKENDS, SYNC_BACKENDS))
    if not claims:
        raise PluginError(_unknown(name))
    plugin, entry_point = _only(name, claims)
    if plugin.blocked:
        raise PluginError(_switched_off(name))
    cls = import_plugin(plugin, entry_point)
    if not isinstance(cls, type):
        msg = f"backend plugin {_described(plugin)} is broken: {cls!r} is not a class"
        raise PluginError(msg)
    return cls


def import_plugin(plugin: BackendPlugin, entry_point: EntryPoint) -> Any:
    """
    Import the object of one entry point.

    Raises:
        PluginError: The import fails in any way but an interrupt; the cause
            is kept.
    """
    try:
        return entry_point.load()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a panic of compiled code is not an Exception
        msg = (
            f"plugin {_described(plugin)} is broken: {type(error).__name__}: {error}; "
            f"repair or remove {plugin.distribution!r}, or name {plugin.name!r} in {DENY}"
        )
        raise PluginError(msg) from error


def find_class(class_name: str) -> type[Any] | None:
    """
    Return the backend class of that name, looked up by the entry points' values.

    Returns:
        None if no installed plugin has such a class and it is none of ours.

    Raises:
        ImportError: It is a class of ours whose plugin is not installed; the
            message is the install line.
        PluginError: Two plugins have a class of that name, it is switched off
            under all its names, or its import fails.
    """
    claims = [
        claim
        for group in (BACKENDS, SYNC_BACKENDS)
        for claim in _entries(group)
        if claim[0].class_name == class_name
    ]
    if not claims:
        if line := install_line(class_name):
            msg = f"{class_name} is not installed; install it with: {line}"
            raise ImportError(msg, name=class_name)
        return None
    found = {claim[0].value: claim for claim in claims if not claim[0].blocked}
    if not found:
        raise PluginError(_switched_off(class_name))
    cls: type[Any] = import_plugin(*_only(class_name, list(found.values())))
    return cls


def lazy_classes(module: str) -> Callable[[str], type[Any]]:
    """
    Return a module ``__getattr__`` that hands out plugins' classes by class name.

    Args:
        module: Name of the module, for its AttributeErrors.
    """

    def __getattr__(name: str) -> type[Any]:  # noqa: N807
        # Only what looks like a class is worth a look at the metadata: the
        # import system asks for submodules and dunder names here too.
        cls = find_class(name) if name[:1].isupper() else None
        if cls is None:
            msg = f"module {module!r} has no attribute {name!r}"
            raise AttributeError(msg, name=name)
        return cls

    return __getattr__


def load_listeners() -> None:
    """
    Register the installed pluggy plugins that are not registered yet.

    A broken one is reported as a RuntimeWarning and left out; it does not
    keep anybody from opening a store. While a thread imports them, others
    wait: no store is opened without its listeners.

    Raises:
        PluginError: Another thread has been importing them for 30 seconds.
    """
    global _importing
    lock = _loading  # a fork meanwhile replaces it in the child
    if not lock.acquire(timeout=_PATIENCE):
        msg = (
            "the installed hook plugins are still being imported by another thread, and a store "
            "opened now could lack its wrapper; if that import waits for the module that opens "
            "this store, open it after the imports of the program"
        )
        raise PluginError(msg)
    try:
        for plugin, entry_point in _entries(LISTENERS):
            if plugin.blocked or plugin in _listening:
                continue
            # Before its import, which must not begin anew if it opens a store.
            _listening.add(plugin)
            outer, _importing = _importing, (plugin, threading.get_ident())
            try:
                _listen(plugin, entry_point)
            except BaseException:
                # It was interrupted, or the warning is an error: the next store tries again.
                _listening.discard(plugin)
                raise
            finally:
                _importing = outer
    finally:
        lock.release()


def _forget_parent() -> None:
    """In a forked child: nobody holds the lock, and nobody goes on with the import."""
    global _loading, _importing
    if _importing is not None:
        plugin, thread = _importing
        if thread == threading.get_ident():
            return  # its lock is its own, in the child, too
        _listening.discard(plugin)
    _loading, _importing = threading.RLock(), None


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_forget_parent)


def _listen(plugin: BackendPlugin, entry_point: EntryPoint) -> None:
    # It brings pluggy along, which programs without listeners need not load.
    from remote_store._plugins.hooks import register_plugin

    try:
        register_plugin(import_plugin(plugin, entry_point), plugin.name)
    except PluginError as error:
        warnings.warn(str(error), RuntimeWarning, stacklevel=4)


def register_backend(name: str, cls: type[Any]) -> None:
    """
    Let *name* be served by *cls* in this process; it wins over entry points.

    For tests and for backends that live in the program itself. A second
    registration of a name replaces the first.

    Args:
        name: Name, and URL scheme, of the backend; its case does not matter.
        cls: A backend class.

    Raises:
        ValueError: *name* is not a URL scheme (a letter, then at least one more
            letter, digit, ``+``, ``-`` or ``.``; a single letter is a drive).
        TypeError: *name* is not a str, or *cls* is not a class.
    """
    if not isinstance(name, str) or not isinstance(cls, type):
        msg = f"register_backend takes a name and a class, got {name!r} and {cls!r}"
        raise TypeError(msg)
    if not re.fullmatch(_SCHEME, name):
        msg = (
            "a backend name must be a URL scheme "
            f"(two or more letters, digits, '+', '-', '.'), got {name!r}"
        )
        raise ValueError(msg)
    _registered[name.lower()] = cls


def unregister_backend(name: str) -> None:
    """Take back `register_backend`; entry points serve the name again."""
    _registered.pop(name.lower(), None)


def _unknown(name: str) -> str:
    if line := install_line(name):
        return f"backend {name!r} is not installed; install it with: {line}"
    names = sorted({*_registered, *(plugin.name for plugin in list_backends())})
    installed = ", ".join(names) or "none"
    # It may be a connection string that was taken for a URL.
    return f"no plugin serves backend {redact_url(name)!r}; installed: {installed}"


def _claims(name: str, groups: tuple[str, ...]) -> list[tuple[BackendPlugin, EntryPoint]]:
    """Return who serves *name* in the first of the groups where anybody does."""
    from remote_store._plugins.entry_points import scan  # as in _scanned

    for _ in range(2):
        found = [[claim for claim in _entries(g) if claim[0].name == name] for g in groups]
        claims = [claim for group in found for claim in group]
        if len({plugin.distribution for plugin, _ in claims}) > 1:
            return claims
        if claims:
            return next(group for group in found if group)
        # It may have been installed since the metadata was read.
        scan.cache_clear()
    return []


def _only(
    name: str, claims: list[tuple[BackendPlugin, EntryPoint]]
) -> tuple[BackendPlugin, EntryPoint]:
    if len(claims) > 1:
        who = " and ".join(f"{p.distribution!r} ({p.value})" for p, _ in claims)
        msg = f"{name!r} is claimed by {who}; uninstall all but one"
        raise PluginError(msg)
    return claims[0]


def _switched_off(name: str) -> str:
    return f"backend {name!r} is switched off by {ALLOW} or {DENY}"


def _described(plugin: BackendPlugin) -> str:
    return f"{plugin.name!r} ({plugin.value}, from {plugin.distribution} {plugin.version})"


def _names(variable: str) -> set[str] | None:
    value = os.environ.get(variable)
    if value is None:
        return None
    return {part.strip().lower() for part in value.split(",") if part.strip()}


def _scanned() -> tuple[list[tuple[BackendPlugin, EntryPoint]], list[str]]:
    # A program that names its backend's class never comes here.
    from remote_store._plugins.entry_points import scan

    return scan(tuple(sys.path))


def _entries(group: str) -> list[tuple[BackendPlugin, EntryPoint]]:
    allowed, denied = _names(ALLOW), _names(DENY) or set()
    found = [claim for claim in _scanned()[0] if claim[1].group == group]
    # A class that is not wanted is not to be had by another of its names.
    off = {plugin.value for plugin, _ in found if plugin.name in denied}
    return [
        (evolve(plugin, blocked=True), entry_point)
        if plugin.value in off or (allowed is not None and plugin.name not in allowed)
        else (plugin, entry_point)
        for plugin, entry_point in found
    ]
