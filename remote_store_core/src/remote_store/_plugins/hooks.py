"""Who listens: pluggy hooks for operation events, secrets and backend wrappers."""

from __future__ import annotations

import logging
from typing import Any, Final, Literal

import pluggy
from attrs import frozen

from remote_store._types.errors import PluginError

__all__ = [
    "OperationEvent",
    "hookimpl",
    "hub",
    "register_plugin",
    "unregister_plugin",
]

_log = logging.getLogger(__name__)

_PROJECT: Final = "remote_store"
_hookspec = pluggy.HookspecMarker(_PROJECT)

#: Marks a function or method as an implementation of one of the hooks.
hookimpl: Final[pluggy.HookimplMarker] = pluggy.HookimplMarker(_PROJECT)


@frozen
class OperationEvent:
    """
    One finished operation of a store.

    An operation that the store refused before it called the backend makes no
    event.

    Args:
        name: Method of the store, for example ``"read_bytes"``.
        path: The caller's path (source of a move or copy).
        backend: Name of the backend.
        bytes: Content bytes moved; None where an operation moves none.
        seconds: From the call of the backend to its end; for an iterator from
            the first pull to exhaustion or close.
        outcome: ``"ok"``, ``"error"`` or ``"cancelled"``.
        error: The exception, unless *outcome* is ``"ok"``.
    """

    name: str
    path: str
    backend: str
    bytes: int | None
    seconds: float
    outcome: Literal["ok", "error", "cancelled"]
    error: BaseException | None = None


class _Hooks:
    """The hook specifications."""

    @_hookspec
    def remote_store_operation(self, event: OperationEvent) -> None:
        """
        Called after each operation of a store, in the thread and loop that ran it.

        It must not block. An exception that it raises is logged and dropped.
        """

    @_hookspec(firstresult=True)
    def remote_store_resolve_secret(self, reference: str) -> str | None:
        """
        Return the secret for the value ``${secret:REFERENCE}`` of a configuration.

        None passes the question on to the next plugin.
        """

    @_hookspec
    def remote_store_wrap_backend(self, backend: Any, name: str) -> Any:
        """
        Return a decorator of *backend*, or None to leave it as it is.

        Called for each backend that an opener or registry builds, with the
        result of the plugin registered before.

        Args:
            backend: The backend so far.
            name: Name it was opened by.
        """


class _Hub:
    """The plugin manager, and the one attribute that the hot path tests."""

    __slots__ = ("listening", "manager")

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(_PROJECT)
        self.manager.add_hookspecs(_Hooks)
        #: True while anybody implements remote_store_operation.
        self.listening = False

    def refresh(self) -> None:
        self.listening = bool(self.manager.hook.remote_store_operation.get_hookimpls())

    def emit(self, event: OperationEvent) -> None:
        """Call every listener; a failing one harms neither the others nor the operation."""
        for implementation in self.manager.hook.remote_store_operation.get_hookimpls():
            try:
                implementation.function(*_arguments(implementation, {"event": event}))
            except Exception:  # noqa: BLE001 - a listener is somebody else's code
                _log.exception("listener %r failed", implementation.plugin_name)

    def wrap(self, backend: Any, name: str) -> Any:
        """Return *backend* inside all wrappers, the first registered innermost."""
        # get_hookimpls() lists them in the order of registration.
        for implementation in self.manager.hook.remote_store_wrap_backend.get_hookimpls():
            given = {"backend": backend, "name": name}
            wrapped = implementation.function(*_arguments(implementation, given))
            backend = backend if wrapped is None else wrapped
        return backend

    def secret(self, reference: str) -> str | None:
        """Return the first answer to *reference*."""
        answer: str | None = self.manager.hook.remote_store_resolve_secret(reference=reference)
        return answer


def _arguments(implementation: pluggy.HookImpl, given: dict[str, Any]) -> list[Any]:
    # An implementation may take fewer arguments than its specification.
    return [given[name] for name in implementation.argnames]


hub: Final = _Hub()


def register_plugin(plugin: object, name: str | None = None) -> str:
    """
    Register an object whose methods are marked with `hookimpl`.

    Args:
        plugin: Module or instance.
        name: Name for messages; one is made up if absent.

    Returns:
        The name.

    Raises:
        PluginError: It is registered already, or implements a hook that does
            not exist or with arguments that the hook does not have.
    """
    manager = hub.manager
    if manager.is_registered(plugin):
        msg = f"plugin {plugin!r} is registered already"
        raise PluginError(msg)
    try:
        registered = manager.register(plugin, name)
        manager.check_pending()  # a hook that does not exist is most likely misspelt
        _refuse_wrappers(plugin)
    except (ValueError, pluggy.PluginValidationError) as error:
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        msg = f"plugin {name or plugin!r} cannot be registered: {error}"
        raise PluginError(msg) from error
    if registered is None:
        msg = f"plugin {name!r} is blocked"
        raise PluginError(msg)
    hub.refresh()
    return registered


def _refuse_wrappers(plugin: object) -> None:
    # Listeners and backend wrappers are called one by one, not through
    # pluggy's wrapping, which would run one of their generators for nobody.
    for caller in hub.manager.get_hookcallers(plugin) or ():
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin and (
                implementation.wrapper or implementation.hookwrapper
            ):
                msg = f"{caller.name} is no hook for wrapper=True"
                raise ValueError(msg)


def unregister_plugin(plugin: object) -> None:
    """
    Take back `register_plugin`.

    Raises:
        PluginError: *plugin* is not registered.
    """
    if not hub.manager.is_registered(plugin):
        msg = f"plugin {plugin!r} is not registered"
        raise PluginError(msg)
    hub.manager.unregister(plugin)
    hub.refresh()
