"""Who listens: what stores and openers ask, without pluggy as long as nobody is registered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pluggy

    from remote_store._plugins.event import OperationEvent

__all__ = ["PROJECT", "hub"]

_log = logging.getLogger(__name__)

#: The name of the hooks' project, as pluggy calls it.
PROJECT: Final = "remote_store"


class _Hub:
    """The plugin manager, and the one attribute that the hot path tests."""

    __slots__ = ("listening", "manager")

    def __init__(self) -> None:
        #: None until the module of the hooks is loaded: until then nobody is registered.
        self.manager: pluggy.PluginManager | None = None
        #: True while anybody implements remote_store_operation.
        self.listening = False

    def refresh(self) -> None:
        self.listening = bool(self._implementing("remote_store_operation"))

    def emit(self, event: OperationEvent) -> None:
        """Call every listener; a failing one harms neither the others nor the operation."""
        for implementation in self._implementing("remote_store_operation"):
            try:
                implementation.function(*_arguments(implementation, {"event": event}))
            except Exception:  # noqa: BLE001 - a listener is somebody else's code
                _log.exception("listener %r failed", implementation.plugin_name)

    def wrap(self, backend: Any, name: str) -> Any:
        """Return *backend* inside all wrappers, the first registered innermost."""
        for implementation in self._implementing("remote_store_wrap_backend"):
            given = {"backend": backend, "name": name}
            wrapped = implementation.function(*_arguments(implementation, given))
            backend = backend if wrapped is None else wrapped
        return backend

    def secret(self, reference: str) -> str | None:
        """Return the first answer to *reference*."""
        if self.manager is None:
            return None
        answer: str | None = self.manager.hook.remote_store_resolve_secret(reference=reference)
        return answer

    def _implementing(self, hook: str) -> list[pluggy.HookImpl]:
        """Return who implements a hook, in the order of registration."""
        if self.manager is None:
            return []
        caller: pluggy.HookCaller = getattr(self.manager.hook, hook)
        return caller.get_hookimpls()


def _arguments(implementation: pluggy.HookImpl, given: dict[str, Any]) -> list[Any]:
    # An implementation may take fewer arguments than its specification.
    return [given[name] for name in implementation.argnames]


hub: Final = _Hub()
