"""Opening sync stores by URL, by profile and from a registry; who is asked for which side."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.sync.reference import DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    BackendConfig,
    InvalidPath,
    PluginError,
    Registry,
    RegistryConfig,
    RetryPolicy,
    Store,
    StoreProfile,
    hookimpl,
    open_store,
    register_backend,
    register_plugin,
    unregister_backend,
    unregister_plugin,
)
from remote_store import aio as remote_store_aio
from remote_store_local import LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend


class Native(DictBackend):
    """A sync backend that remembers how it was made."""

    made: ClassVar[list[Native]] = []

    def __init__(self, **options: Any) -> None:
        super().__init__()
        if "refuse" in options:
            msg = "unexpected keyword"
            raise TypeError(msg)
        self.options = options
        self.made.append(self)


class Plain(AsyncMemoryBackend):
    """An async backend without from_url that counts its closes."""

    made: ClassVar[list[Plain]] = []

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0
        self.made.append(self)

    from_url: ClassVar[Any] = None

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture
def names() -> Iterator[None]:
    """``native`` is a sync class, ``plain`` an async one."""
    register_backend("native", Native)
    register_backend("plain", Plain)
    Native.made = []
    Plain.made = []
    yield
    unregister_backend("native")
    unregister_backend("plain")


def inner(store: Any) -> Any:
    return store._backend


@pytest.mark.usefixtures("names")
def test_native_class_is_used_as_it_is() -> None:
    """A sync class opens without a bridge, from a URL and from a profile."""
    with open_store("native:///a%20b/c", size=3) as store:
        assert repr(store) == "Store(backend='dict', root_path='a b/c')"
        assert isinstance(inner(store), Native)
        assert inner(store).options == {"size": 3}
    assert inner(store).closed == 1
    profile = StoreProfile("native", "r", {"size": 1})
    with open_store(profile, more=2) as store:
        assert inner(store).options == {"size": 1, "more": 2}


@pytest.mark.usefixtures("names")
def test_async_class_comes_through_the_bridge() -> None:
    """An async class opens behind an adapter, which ends with the store."""
    with open_store("plain:///r") as store:
        assert isinstance(inner(store), AsyncBackendSyncAdapter)
        store.write("x", b"1")
        assert store.read_bytes("x") == b"1"
    assert Plain.made[0].closed == 1
    assert inner(store)._loop.is_closed()


def test_native_class_of_a_plugin_with_both(tmp_path: Path) -> None:
    """Each way to a sync store takes the plugin's sync class, without a loop or a bridge."""
    config = RegistryConfig({"m": BackendConfig("memory")}, {"s": StoreProfile("m")})
    with Registry(config) as registry:
        assert type(inner(registry.get_store("s"))) is MemoryBackend
    profile = StoreProfile("local", options={"root": tmp_path})
    for target, kind in (("memory://", MemoryBackend), (profile, LocalBackend)):
        with open_store(target) as store:
            assert type(inner(store)) is kind
            store.write("x", b"1")
            assert store.read_bytes("x") == b"1"


@pytest.mark.usefixtures("names")
def test_awaitable_from_url() -> None:
    """An async from_url runs on the loop on which the backend then lives."""
    loops = []

    class Later(Plain):
        @classmethod
        async def from_url(  # type: ignore[override]
            cls, url: str, **options: Any
        ) -> tuple[Any, str]:
            loops.append(asyncio.get_running_loop())
            if "fail" in url:
                raise OSError
            return cls(), "deep"

        async def exists(self, path: str) -> bool:
            loops.append(asyncio.get_running_loop())
            return True

    register_backend("later", Later)
    try:
        with open_store("later:x") as store:
            assert store.exists("")
            assert "root_path='deep'" in repr(store)
        assert loops[0] is loops[1]
        with pytest.raises(OSError):
            open_store("later:fail")
    finally:
        unregister_backend("later")


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("name", ["native", "plain"])
def test_failed_opening_closes_the_backend(name: str) -> None:
    """When the store cannot be made, the backend that was built is closed (LIFE-008)."""
    with pytest.raises(InvalidPath):
        open_store(StoreProfile(name, "../x"))
    made: list[Any] = [*Native.made, *Plain.made]
    assert [backend.closed for backend in made] == [1]


@pytest.mark.usefixtures("names")
def test_what_cannot_be_opened() -> None:
    """Wrong targets, names, URLs and options are refused as by the async opener."""
    with pytest.raises(TypeError, match="got int"):
        open_store(3)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="no plugin serves backend 'nobody'"):
        open_store("nobody:///x")
    with pytest.raises(ValueError, match="starts with the name"):
        open_store("/srv/data")
    with pytest.raises(ValueError, match="reads only a path"):
        open_store("native://host/x")
    with pytest.raises(ValueError, match=r"refuses its options \(refuse\)"):
        open_store("native:", refuse=1)


@pytest.mark.usefixtures("names")
def test_async_opener_takes_sync_classes() -> None:
    """A name that has only a sync class opens asynchronously, too, and shares one adapter."""
    config = RegistryConfig(
        {"n": BackendConfig("native")}, {"a": StoreProfile("n"), "b": StoreProfile("n")}
    )

    async def run() -> None:
        async with remote_store_aio.open_store("native:") as store:
            await store.write("x", b"1")
            assert await store.read_bytes("x") == b"1"
        assert Native.made[0].closed == 1
        with pytest.raises(InvalidPath):
            await remote_store_aio.open_store(StoreProfile("native", "../x"))
        assert Native.made[1].closed == 1
        async with remote_store_aio.AsyncRegistry(config) as registry:
            a, b = await registry.get_store("a"), await registry.get_store("b")
            assert a == b
            await a.write("x", b"1")
        assert Native.made[2].closed == 1

    asyncio.run(run())


CONFIG = RegistryConfig(
    backends={
        "main": BackendConfig("native", {"size": 1}, RetryPolicy(2)),
        "bridged": BackendConfig("plain"),
    },
    stores={
        "a": StoreProfile("main", "a"),
        "b": StoreProfile("main", "b"),
        "own": StoreProfile("main", options={"size": 2}),
        "bridged": StoreProfile("bridged"),
    },
)


@pytest.mark.usefixtures("names")
def test_registry_shares_backends() -> None:
    """Stores of one backend share it; options of its own make a backend of its own."""
    with Registry(CONFIG) as registry:
        a, b, own, bridged = [registry.get_store(name) for name in ("a", "b", "own", "bridged")]
        assert a == registry.get_store("a")
        assert inner(a) is inner(b)
        assert inner(a).options == {"size": 1, "retry": RetryPolicy(2)}
        assert inner(own).options == {"size": 2, "retry": RetryPolicy(2)}
        assert inner(bridged) is inner(registry.get_store("bridged"))
        a.close()
        assert [made.closed for made in Native.made] == [0, 0]
        assert repr(registry) == "Registry(stores=['a', 'b', 'bridged', 'own'])"
        with pytest.raises(KeyError, match="no store 'y'"):
            registry.get_store("y")
    assert [made.closed for made in Native.made] == [1, 1]
    assert Plain.made[0].closed == 1
    with pytest.raises(ValueError, match="unknown backend 'gone'"):
        Registry(RegistryConfig(stores={"s": StoreProfile("gone")}))


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("where", ["here", "in another thread"])
def test_backend_that_asks_its_registry(where: str) -> None:
    """A backend's constructor may open another store of the registry, and the first one wins."""
    registry = Registry(CONFIG)
    found: list[Store] = []

    class Nested(Native):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            if len(Native.made) == 1:
                ask() if where == "here" else finished(ask)

    def ask() -> None:
        found.append(registry.get_store("a"))

    def finished(function: Callable[[], None]) -> bool:
        thread = threading.Thread(target=function, daemon=True)
        thread.start()
        thread.join(10)
        return not thread.is_alive()

    register_backend("native", Nested)
    assert finished(ask)
    assert inner(found[0]) is inner(found[1]) is Native.made[1]
    assert [made.closed for made in Native.made] == [1, 0]
    registry.close()


@pytest.mark.usefixtures("names")
def test_registry_closes_all_and_raises_the_first_error() -> None:
    """One backend that fails to close does not keep the others open."""
    registry = Registry(CONFIG)
    for name in ("a", "own"):
        registry.get_store(name)

    def fail(name: str) -> None:
        if name == "close":
            raise OSError

    Native.made[0].on_call = fail
    with pytest.raises(OSError):
        registry.close()
    assert [made.closed for made in Native.made] == [0, 1]
    registry.close()


@pytest.mark.usefixtures("names")
def test_wrappers_get_the_backend_of_either_side() -> None:
    """A plugin wraps the native backend, or the async one before the bridge."""

    class Wrapper:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    class Plugin:
        @hookimpl
        def remote_store_wrap_backend(self, backend: Any) -> Any:
            return Wrapper(backend)

    plugin = Plugin()
    register_plugin(plugin)
    try:
        with open_store("native:") as store:
            assert isinstance(inner(store).inner, Native)
        with open_store("plain:") as bridged:
            assert isinstance(inner(bridged)._backend.inner, Plain)
            assert bridged.exists("")
    finally:
        unregister_plugin(plugin)


TWO_SIDES = """
class AsyncThing: pass
class Thing: pass
class Alone: pass
"""


@pytest.mark.long
def test_discovery(install: Callable[..., Path], run_python: Callable[..., str]) -> None:
    """Each side prefers its own group, and takes the other's class where there is no own."""
    install(
        "thing-plugin",
        "thing_plugin",
        TWO_SIDES,
        {
            "remote_store.backends": {"thing": "thing_plugin:AsyncThing"},
            "remote_store.sync_backends": {
                "thing": "thing_plugin:Thing",
                "alone": "thing_plugin:Alone",
            },
        },
    )
    site = install(
        "other-plugin",
        "other_plugin",
        TWO_SIDES,
        {"remote_store.sync_backends": {"memory": "other_plugin:Thing"}},
    )
    out = run_python(
        "import remote_store\n"
        "from remote_store import load_backend, list_backends\n"
        "from remote_store.backends import Alone, AsyncThing\n"
        "print(load_backend('thing').__name__, load_backend('thing', sync=True).__name__)\n"
        "print(load_backend('alone') is load_backend('alone', sync=True) is Alone)\n"
        "print([p.name for p in list_backends() if p.distribution == 'thing-plugin'])\n"
        "for sync in (False, True):\n"
        "    try: load_backend('memory', sync=sync)\n"
        "    except remote_store.PluginError as e: print('claimed by' in str(e))\n",
        site=site,
    )
    assert out.splitlines() == ["AsyncThing Thing", "True", "['alone', 'thing']", "True", "True"]


def test_sync_program_loads_no_asyncio(run_python: Callable[..., str]) -> None:
    """A program with a native sync backend never imports asyncio."""
    out = run_python(
        "import sys, remote_store\n"
        "print('asyncio' in sys.modules)\n"
        "from remote_store import AsyncBackendSyncAdapter\n"
        "print(AsyncBackendSyncAdapter.__name__, 'asyncio' in sys.modules)\n"
    )
    assert out.splitlines() == ["False", "AsyncBackendSyncAdapter True"]


def test_closing_twice() -> None:
    """Stores over the bridge close once and again."""
    store = open_store("memory://")
    with contextlib.closing(store), store as same:
        assert isinstance(same, Store)
