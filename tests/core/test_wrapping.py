"""Plugins that wrap backends, and those that listen."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

import pytest
from tests.core.scripted import CONFIG, opened

import remote_store
from remote_store import (
    BackendConfig,
    InvalidPath,
    OperationEvent,
    PluginError,
    RegistryConfig,
    StoreProfile,
    hookimpl,
    register_backend,
    register_plugin,
    unregister_backend,
    unregister_plugin,
)
from remote_store.aio import AsyncRegistry, open_store
from remote_store_memory import MemoryBackend

pytestmark = pytest.mark.asyncio


class Wrapping:
    """A plugin whose wrapper does what it is told."""

    def __init__(self, wrap: Any) -> None:
        self._wrap = wrap

    @hookimpl
    def remote_store_wrap_backend(self, backend: Any) -> Any:
        return self._wrap(backend)


class Outer:
    """A wrapper with something of its own to close."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.closed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def aclose(self) -> None:
        self.closed += 1
        await self.inner.aclose()


class SyncOuter(Outer):
    """The same for a sync backend."""

    def close(self) -> None:
        self.closed += 1
        self.inner.close()

    aclose = None  # type: ignore[assignment]


@pytest.mark.parametrize("wrap", [lambda _: 1 / 0, lambda _: 42], ids=["raises", "nonsense"])
async def test_a_backend_that_cannot_be_wrapped_is_closed(backend: Any, wrap: Any) -> None:
    """By either opener and by either registry, at each attempt, at the latest at its close."""

    class Counted(MemoryBackend):
        made: ClassVar[list[Any]] = []
        closed = 0

        def __init__(self) -> None:
            super().__init__()
            self.made.append(self)

        def close(self) -> None:
            self.closed += 1

    plugin = Wrapping(wrap)
    register_backend("counted", Counted)
    register_plugin(plugin)
    config = RegistryConfig({"b": BackendConfig("counted")}, {"s": StoreProfile("b")})
    try:
        with remote_store.Registry(config) as registry:
            for _ in range(2):
                with pytest.raises((ZeroDivisionError, TypeError)):
                    remote_store.open_store("counted:")
                with pytest.raises((ZeroDivisionError, TypeError)):
                    registry.get_store("s")
        async with AsyncRegistry(CONFIG) as shared:
            for opening in (open_store("scripted:"), shared.get_store("a")):
                with pytest.raises((ZeroDivisionError, TypeError)):
                    await opening
    finally:
        unregister_plugin(plugin)
        unregister_backend("counted")

    assert [1] * 4 == [made.closed for made in Counted.made]
    assert [1, 1] == [made.closed for made in backend.made]


async def test_a_wrapper_is_closed_when_the_root_is_bad(backend: Any) -> None:
    """What closes it is its own close, which closes the backend in it."""
    outers: list[Outer] = []

    def wrap(inner: Any) -> Outer:
        outers.append((Outer if hasattr(inner, "aclose") else SyncOuter)(inner))
        return outers[-1]

    plugin = Wrapping(wrap)
    register_plugin(plugin)
    try:
        with pytest.raises(InvalidPath):
            await open_store(StoreProfile("scripted", "../x"))
        with pytest.raises(InvalidPath):
            remote_store.open_store(StoreProfile("memory", "../x"))
    finally:
        unregister_plugin(plugin)

    assert [1, 1] == [outer.closed for outer in outers]
    assert 1 == backend.made[0].closed


async def test_plugins_wrap_and_listen(backend: Any) -> None:
    """Wrappers are applied in the order of registration; a listener hears the name."""

    class Wrapper:
        def __init__(self, inner: Any, label: str) -> None:
            self.inner, self.label = inner, label

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    class First:
        events: ClassVar[list[OperationEvent]] = []

        @hookimpl
        def remote_store_wrap_backend(self, backend: Any, name: str) -> Any:
            return Wrapper(backend, f"first {name}")

        @hookimpl
        def remote_store_operation(self, event: OperationEvent) -> None:
            self.events.append(event)

    class Second:
        @hookimpl
        def remote_store_wrap_backend(self, backend: Any) -> Any:
            return Wrapper(backend, "second")

    class Third:
        @hookimpl
        def remote_store_wrap_backend(self) -> Any:
            return None

    plugins = [First(), Second(), Third()]
    for plugin in plugins:
        register_plugin(plugin)
    try:
        store = await open_store("scripted:")
        await store.exists("x")
    finally:
        for plugin in plugins:
            unregister_plugin(plugin)

    assert "second" == opened(store).label
    assert "first scripted" == opened(store).inner.label
    assert [("exists", "x", "scripted", "ok")] == [
        (e.name, e.path, e.backend, e.outcome) for e in First.events
    ]


async def test_plugin_registration_errors() -> None:
    """A hook that does not exist, a second registration and an unknown plugin are refused."""

    class Misspelt:
        @hookimpl
        def remote_store_operations(self, event: OperationEvent) -> None: ...

    class WrongArguments:
        @hookimpl
        def remote_store_operation(self, occasion: OperationEvent) -> None: ...

    class Wrapping:
        @hookimpl(wrapper=True)
        def remote_store_operation(self, event: OperationEvent) -> Generator[None, None, None]:
            yield

    for plugin in (Misspelt(), WrongArguments(), Wrapping()):
        for _ in range(2):
            with pytest.raises(PluginError, match="cannot be registered"):
                register_plugin(plugin)
    empty = object()
    register_plugin(empty, "empty")
    with pytest.raises(PluginError, match="registered already"):
        register_plugin(empty)
    unregister_plugin(empty)
    with pytest.raises(PluginError, match="not registered"):
        unregister_plugin(empty)
