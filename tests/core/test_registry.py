"""Stores of a configuration, whose backends are shared."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.core.scripted import CONFIG, opened, scripted

import remote_store
from remote_store import (
    BackendConfig,
    RegistryConfig,
    RetryPolicy,
    StoreClosed,
    StoreProfile,
    register_backend,
    unregister_backend,
)
from remote_store._contract import members
from remote_store.aio import AsyncRegistry, AsyncStore, open_store
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio


CONFIG_OF_TWO = RegistryConfig(
    {"m": BackendConfig("memory")}, {"a": StoreProfile("m"), "b": StoreProfile("m", "b")}
)


async def test_registry_shares_backends(backend: Any) -> None:
    """Stores of one backend share it; options of its own make a backend of its own."""
    async with AsyncRegistry(CONFIG) as registry:
        a, b, own = [await registry.get_store(name) for name in ("a", "b", "own")]
        assert a == await registry.get_store("a")
        await a.aclose()

        assert opened(a) is opened(b)
        assert {"size": 1, "retry": RetryPolicy(2)} == opened(a).options
        assert {"size": 2, "retry": RetryPolicy(2)} == opened(own).options
        assert [0, 0] == [made.closed for made in backend.made]
        assert "AsyncRegistry(stores=['a', 'b', 'other', 'own'])" == repr(registry)

    assert [1, 1] == [made.closed for made in backend.made]


async def test_registry_that_is_closed_while_it_opens_a_store() -> None:
    """What is open by then is closed, and never handed out."""
    opening, go = asyncio.Event(), asyncio.Event()
    closed = []

    class Slow(AsyncMemoryBackend):
        async def connected(self) -> Any:
            opening.set()
            await go.wait()
            return Slow()

        async def aclose(self) -> None:
            closed.append(self)

    register_backend("slow", Slow)
    try:
        registry = AsyncRegistry(
            RegistryConfig({"b": BackendConfig("slow")}, {"s": StoreProfile("b")})
        )
        store = asyncio.create_task(registry.get_store("s"))
        await opening.wait()
        await registry.aclose()
        go.set()
        with pytest.raises(StoreClosed, match="registry was closed"):
            await store
        assert 2 == len(closed)

        async with registry:  # which may be used again
            assert (await registry.get_store("s"))._backend not in closed
    finally:
        unregister_backend("slow")


async def test_registry_closes_all_and_raises_the_first_error(backend: Any) -> None:
    """One backend that fails to close does not keep the others open."""
    registry = AsyncRegistry(CONFIG)
    for name in ("other", "a"):
        await registry.get_store(name)

    with pytest.raises(OSError, match="will not close"):
        await registry.aclose()

    assert [1, 1] == [made.closed for made in backend.made]
    await registry.aclose()


async def test_registry_shares_under_concurrency(backend: Any) -> None:
    """Tasks and threads that ask at the same time get one backend; another one is closed."""
    registry = AsyncRegistry(CONFIG)

    def ask() -> AsyncStore:
        return asyncio.run(registry.get_store("a"))

    stores = await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(8)))

    assert 1 == len({id(opened(store)) for store in stores})
    assert all(made.closed for made in backend.made if made is not opened(stores[0]))
    await registry.aclose()


async def test_backends_that_look_at_their_service_first() -> None:
    """What `connected` returns is what stores use: by URL, by profile and from a registry."""

    async def connected(self: Any) -> Any:
        if self.options.get("down"):
            msg = "nobody answers"
            raise OSError(msg)
        await asyncio.sleep(0)
        if not hasattr(self, "better"):
            self.better = type(self)(**self.options, better=True)
        return self.better

    cls = scripted(connected=connected)
    register_backend("scripted", cls)
    try:
        for target in ("scripted:///a", StoreProfile("scripted")):
            async with open_store(target) as store:
                assert opened(store).options == {"better": True}
        assert [made.closed for made in cls.made] == [0, 1, 0, 1]

        with pytest.raises(OSError, match="nobody answers"):
            await open_store("scripted:///a", down=True)
        assert cls.made[-1].closed == 1

        registry = AsyncRegistry(CONFIG)
        a, b = await asyncio.gather(registry.get_store("a"), registry.get_store("b"))
        assert opened(a) is opened(b)
        assert opened(a).options["better"]
        await registry.aclose()
        assert opened(a).closed == 1
    finally:
        unregister_backend("scripted")


async def test_a_retry_policy_that_a_backend_cannot_take() -> None:
    """A configuration that backends share may ask one too many; the error says what to remove."""
    config = RegistryConfig.from_dict(
        {
            "backends": {"m": {"type": "memory", "retry": {"max_attempts": 2}}},
            "stores": {"s": {"backend": "m"}},
        }
    )
    message = r"backend 'memory' takes no retry policy.*remove 'retry'"

    with remote_store.Registry(config) as registry, pytest.raises(ValueError, match=message):
        registry.get_store("s")
    async with AsyncRegistry(config) as shared:
        with pytest.raises(ValueError, match=message):
            await shared.get_store("s")


async def test_registry_errors(backend: Any) -> None:
    """Unknown stores, types and options are refused; an invalid configuration at once."""
    registry = AsyncRegistry(
        RegistryConfig({"x": BackendConfig("nobody")}, {"x": StoreProfile("x")})
    )

    with pytest.raises(KeyError, match="no store 'y' in the configuration; known: x"):
        await registry.get_store("y")
    with pytest.raises(ValueError, match="no plugin serves backend 'nobody'"):
        await registry.get_store("x")
    with pytest.raises(ValueError, match="unknown backend 'gone'"):
        AsyncRegistry(RegistryConfig(stores={"s": StoreProfile("gone")}))
    with pytest.raises(KeyError, match="known: none"):
        await AsyncRegistry().get_store("s")


async def test_a_backend_is_inspected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it has all members is asked when it is opened, and not for each store over it."""
    inspected: list[object] = []
    inspect_members = members.refuse_incomplete

    def noting(backend: object) -> None:
        inspected.append(backend)
        inspect_members(backend)

    monkeypatch.setattr(members, "refuse_incomplete", noting)
    async with open_store("memory:///") as store:
        store.child("a").child("b")
        assert len(inspected) == 1
    async with AsyncRegistry(CONFIG_OF_TWO) as registry:
        await registry.get_store("a")
        await registry.get_store("b")
        assert len(inspected) == 2
    with remote_store.open_store("memory:///") as sync:
        sync.child("a")
        assert len(inspected) == 3
