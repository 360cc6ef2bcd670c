"""A stand-in for a backend that passes everything on and takes notes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

from attrs import frozen

from remote_store import CapabilitySet
from remote_store.aio import AsyncBackend

__all__ = ["Call", "Recorder", "as_backend"]


@frozen
class Call:
    """One call of a backend's method."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        given = [repr(a)[:60] for a in self.args]
        given += [f"{k}={v!r}"[:60] for k, v in self.kwargs.items()]
        return f"{self.method}({', '.join(given)})"


class Recorder:
    """
    Delegates every attribute to a backend and notes each call.

    It inherits nothing, so it is also the proof that a wrapper which only
    delegates is a backend.

    Args:
        backend: Where calls go.
        capabilities: The set to declare instead of the backend's own.
        on_call: Called with each call before it is passed on.
    """

    def __init__(
        self,
        backend: object,
        capabilities: CapabilitySet | None = None,
        on_call: Callable[[Call], object] | None = None,
    ) -> None:
        self._backend = backend
        self._capabilities = capabilities
        self._on_call = on_call
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        if name == "capabilities" and self._capabilities is not None:
            return self._capabilities
        value = getattr(self._backend, name)
        if not callable(value) or name.startswith("__"):
            return value

        def note(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            call = Call(name, args, kwargs)
            self.calls.append(call)
            if self._on_call is not None:
                self._on_call(call)

        # A coroutine function must look like one: a store may distinguish sync from async by it.
        if inspect.iscoroutinefunction(value):

            async def call_async(*args: Any, **kwargs: Any) -> Any:
                note(args, kwargs)
                return await value(*args, **kwargs)

            return call_async

        def call(*args: Any, **kwargs: Any) -> Any:
            note(args, kwargs)
            return value(*args, **kwargs)

        return call

    @property
    def methods(self) -> list[str]:
        """Names of the methods called so far."""
        return [call.method for call in self.calls]


def as_backend(backend: object) -> AsyncBackend:
    """State for the type checker that *backend* matches the protocol by its members."""
    return cast("AsyncBackend", backend)
