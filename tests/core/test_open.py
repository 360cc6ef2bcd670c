"""Opening stores by URL, by profile and from a registry."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import Generator, Iterator
from typing import Any, ClassVar

import pytest

import remote_store
from remote_store import (
    BackendConfig,
    InvalidPath,
    OperationEvent,
    PermissionDenied,
    PluginError,
    RegistryConfig,
    RetryPolicy,
    Secret,
    StoreClosed,
    StoreProfile,
    hookimpl,
    load_backend,
    register_backend,
    register_plugin,
    unregister_backend,
    unregister_plugin,
)
from remote_store._contract import members
from remote_store.aio import AsyncBackend, AsyncRegistry, AsyncStore, open_store
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

pytestmark = pytest.mark.asyncio


def scripted(**members: Any) -> type[Any]:
    """Return a backend class with the protocol's members, which records what it gets."""

    async def nothing(self: Any, *args: Any, **kwargs: Any) -> bool:
        return False

    async def aclose(self: Any) -> None:
        self.closed += 1
        if self.options.get("stubborn"):
            msg = "will not close"
            raise OSError(msg)

    def init(self: Any, **options: Any) -> None:
        self.options = options
        self.closed = 0
        cls.made.append(self)

    mandatory = AsyncBackend.__abstractmethods__ - {"name", "capabilities"}
    body: dict[str, Any] = dict.fromkeys(mandatory, nothing)
    body |= {"name": "scripted", "capabilities": (), "__init__": init, "aclose": aclose}
    cls: Any = type("ScriptedBackend", (), body | {"made": []} | members)
    return cls  # type: ignore[no-any-return]


@pytest.fixture
def backend() -> Iterator[Any]:
    """A scripted backend class that serves the name ``scripted``."""
    cls = scripted()
    register_backend("scripted", cls)
    yield cls
    unregister_backend("scripted")


def opened(store: AsyncStore) -> Any:
    return store._backend


async def test_url_gives_options_and_root_path(backend: Any) -> None:
    """Without from_url, options go to the constructor and the path is the store's root."""
    store = await open_store("scripted:///a%20b/c", size=3)

    assert "AsyncStore(backend='scripted', root_path='a b/c')" == repr(store)
    assert {"size": 3} == opened(store).options
    assert 0 == opened(store).closed


async def test_context_manager_closes(backend: Any) -> None:
    """``async with`` closes the backend at the end, also after an error."""
    with pytest.raises(ZeroDivisionError):
        async with open_store("SCRIPTED:") as store:
            raise ZeroDivisionError

    assert 1 == opened(store).closed


async def test_profile(backend: Any) -> None:
    """A profile names the plugin, the root and options; arguments win over its options."""
    profile = StoreProfile("scripted", "r", {"size": 1, "key": Secret("k")})

    store = await open_store(profile, size=2)

    assert {"size": 2, "key": Secret("k")} == opened(store).options
    assert "root_path='r'" in repr(store)


@pytest.mark.parametrize(
    "target", ["/srv/data", "srv", "", ":x", "C:/data", "scripted://host/x", "scripted:///x?y=1"]
)
async def test_url_that_nobody_can_read(backend: Any, target: str) -> None:
    """A URL without a scheme, or with parts that the backend cannot read, is refused."""
    with pytest.raises(ValueError, match="URL"):
        await open_store(target)

    assert [] == backend.made


async def test_wrong_target() -> None:
    """Only URLs and profiles can be opened; said at the call."""
    with pytest.raises(TypeError, match="got int"):
        open_store(3)  # type: ignore[arg-type]


async def test_unknown_backend_lists_the_installed(backend: Any) -> None:
    """The error for an unknown name says what there is."""
    with pytest.raises(PluginError, match=r"no plugin serves backend 'nobody'; .*scripted"):
        await open_store("nobody:///x")


async def test_options_that_the_backend_refuses() -> None:
    """A constructor's TypeError is a ValueError that names the options, never their values."""

    def init(self: Any, *, size: int) -> None: ...

    register_backend("picky", scripted(__init__=init))
    try:
        with pytest.raises(ValueError, match=r"'picky' refuses its options \(key, size\)") as info:
            await open_store("picky:", size=1, key="hunter2")
    finally:
        unregister_backend("picky")

    assert isinstance(info.value.__cause__, TypeError)
    assert "hunter2" not in str(info.value)


@pytest.mark.parametrize("later", [False, True])
async def test_from_url(later: bool) -> None:
    """A class with from_url reads the whole URL itself, awaited where it has to be."""

    def from_url(cls: Any, /, url: str, **options: Any) -> Any:
        async def answer() -> tuple[Any, str]:
            return cls(url=url, **options), "deep"

        return answer() if later else (cls(url=url, **options), "deep")

    register_backend("own", scripted(from_url=classmethod(from_url)))
    try:
        store = await open_store("own://host/x?y=1", size=1)
    finally:
        unregister_backend("own")

    assert {"url": "own://host/x?y=1", "size": 1} == opened(store).options
    assert "root_path='deep'" in repr(store)


async def test_a_sync_opening_on_a_loop_leaves_nothing_unawaited() -> None:
    """The error says what to use, and no coroutine of the plugin complains."""

    async def from_url(cls: Any, url: str) -> Any:
        return cls(), ""

    register_backend("own", scripted(from_url=classmethod(from_url)))
    try:
        with pytest.raises(RuntimeError, match="running event loop"):
            remote_store.open_store("own:")
        gc.collect()  # it would complain by now
    finally:
        unregister_backend("own")


async def test_failed_opening_closes_the_backend(backend: Any) -> None:
    """When the store cannot be made, the backend that was built is closed (LIFE-008)."""
    with pytest.raises(InvalidPath):
        await open_store(StoreProfile("scripted", "../x"))

    assert [1] == [made.closed for made in backend.made]


async def test_a_backend_that_cannot_be_closed_does_not_hide_why_it_had_to_be() -> None:
    """The caller is told what went wrong first."""

    class Stubborn(AsyncMemoryBackend):
        async def connected(self) -> Any:
            raise PermissionDenied("no entry")

        async def aclose(self) -> None:
            raise RuntimeError("nor a way out")

    register_backend("stubborn", Stubborn)
    try:
        with pytest.raises(PermissionDenied, match="no entry"):
            await open_store("stubborn:")
    finally:
        unregister_backend("stubborn")


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


async def test_secret_references(backend: Any) -> None:
    """``${secret:...}`` is answered by a plugin and becomes a Secret; unanswered is an error."""

    class Vault:
        @hookimpl
        def remote_store_resolve_secret(self, reference: str) -> str | None:
            return "opened" if reference == "a/b" else None

    vault = Vault()
    register_plugin(vault)
    try:
        store = await open_store("scripted:", k="${secret:a/b}", s=Secret("${secret:a/b}"), n=1)
        with pytest.raises(ValueError, match=r"'gone' of option 'k'"):
            await open_store("scripted:", k="${secret:gone}")
    finally:
        unregister_plugin(vault)

    assert {"k": Secret("opened"), "s": Secret("opened"), "n": 1} == opened(store).options


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


async def test_register_backend_checks_its_arguments() -> None:
    """A name must be a URL scheme and a backend a class."""
    for name in ("", "a b", "1a", "ä", "a:b", "a", "a_b"):
        with pytest.raises(ValueError, match="URL scheme"):
            register_backend(name, object)
    with pytest.raises(TypeError, match="takes a name and a class"):
        register_backend("ab", object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes a name and a class"):
        register_backend(None, object)  # type: ignore[arg-type]


async def test_registered_class_wins_until_it_is_taken_back() -> None:
    """A registered class replaces an entry point's in this process only while it is registered."""
    cls = scripted()
    register_backend("memory", cls)
    assert load_backend("memory") is cls
    unregister_backend("memory")
    unregister_backend("memory")
    assert load_backend("memory") is not cls


async def test_a_registered_name_is_reached_in_any_case(backend: Any) -> None:
    """A URL's scheme has no case, so a registered name has none."""
    cls = scripted()
    register_backend("My-Store", cls)
    try:
        assert isinstance(opened(await open_store("my-store:")), cls)
        assert isinstance(opened(await open_store(StoreProfile("MY-STORE"))), cls)
    finally:
        unregister_backend("my-STORE")
    with pytest.raises(PluginError):
        load_backend("my-store")


CONFIG_OF_TWO = RegistryConfig(
    {"m": BackendConfig("memory")}, {"a": StoreProfile("m"), "b": StoreProfile("m", "b")}
)
CONFIG = RegistryConfig(
    backends={
        "main": BackendConfig("scripted", {"size": 1}, RetryPolicy(2)),
        "other": BackendConfig("scripted", {"stubborn": True}),
    },
    stores={
        "a": StoreProfile("main", "a"),
        "b": StoreProfile("main", "b"),
        "own": StoreProfile("main", options={"size": 2}),
        "other": StoreProfile("other"),
    },
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


async def test_a_store_that_was_not_awaited_says_so() -> None:
    """Whatever a program does with it but opening it tells what was forgotten, and no secret."""
    opening: Any = open_store("memory://user:hunter2@host/")
    how = "await open_store"

    with pytest.raises(AttributeError, match=how):
        opening.read_bytes("x")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        opening.nonsense()
    with pytest.raises(TypeError, match=how), opening:
        pass
    for process in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=how):
            process(opening)
    assert how in repr(opening)
    assert how in str(opening)
    assert "hunter2" not in repr(opening)


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
