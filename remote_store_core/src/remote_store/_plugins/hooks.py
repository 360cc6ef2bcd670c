"""The pluggy hooks for operation events, secrets and backend wrappers, and who implements them."""

from __future__ import annotations

from typing import Any, Final

import pluggy

from remote_store._plugins.event import OperationEvent
from remote_store._plugins.hub import PROJECT, hub
from remote_store._types.errors import PluginError

__all__ = [
    "OperationEvent",
    "hookimpl",
    "register_plugin",
    "unregister_plugin",
]

_hookspec = pluggy.HookspecMarker(PROJECT)

#: Marks a function or method as an implementation of one of the hooks.
hookimpl: Final[pluggy.HookimplMarker] = pluggy.HookimplMarker(PROJECT)


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


_manager: Final = pluggy.PluginManager(PROJECT)
_manager.add_hookspecs(_Hooks)
# From here on others see it, and whoever is registered.
hub.manager = _manager


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
    if _manager.is_registered(plugin):
        msg = f"plugin {plugin!r} is registered already"
        raise PluginError(msg)
    try:
        registered = _manager.register(plugin, name)
        _manager.check_pending()  # a hook that does not exist is most likely misspelt
        _refuse_wrappers(plugin)
    except (ValueError, pluggy.PluginValidationError) as error:
        if _manager.is_registered(plugin):
            _manager.unregister(plugin)
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
    for caller in _manager.get_hookcallers(plugin) or ():
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
    if not _manager.is_registered(plugin):
        msg = f"plugin {plugin!r} is not registered"
        raise PluginError(msg)
    _manager.unregister(plugin)
    hub.refresh()
