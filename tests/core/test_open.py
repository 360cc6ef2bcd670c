"""Opening stores by URL and by profile."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import pytest
from tests.core.scripted import opened, scripted

import remote_store
from remote_store import (
    InvalidPath,
    PermissionDenied,
    PluginError,
    Secret,
    StoreProfile,
    hookimpl,
    register_backend,
    register_plugin,
    unregister_backend,
    unregister_plugin,
)
from remote_store.aio import open_store
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio


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
