"""Files that are copied together: what a store makes of it, and when it is not asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.contract.probes import Listener

from remote_store import (
    AlreadyExists,
    AsyncBackendSyncAdapter,
    Backend,
    BackendUnavailable,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    RemotePath,
    RemoteStoreError,
    Store,
    StoreClosed,
    WriteResult,
    register_plugin,
    unregister_plugin,
)
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

Results = Sequence[WriteResult | RemoteStoreError | None]


class Copying(MemoryBackend):
    """Copies one by one, and together by a method that counts."""

    calls = 0
    asked: Sequence[tuple[str, str]] = ()

    def copy_from(
        self,
        source: Backend,
        src: str,
        dst: str,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
    ) -> WriteResult | None:
        return self.write(dst, source.read_bytes(src), overwrite=overwrite)

    def copy_many_from(self, source: Backend, pairs: Sequence[tuple[str, str]]) -> Results:
        self.calls += 1
        self.asked = pairs
        found: list[WriteResult | RemoteStoreError | None] = []
        for src, dst in pairs:
            try:
                found.append(Copying.copy_from(self, source, src, dst))
            except RemoteStoreError as error:
                found.append(error)
        return found


class AsyncCopying(AsyncMemoryBackend):
    """The same on the other side; tells nothing of what it has made."""

    async def copy_many_from(
        self, source: AsyncBackend, pairs: Sequence[tuple[str, str]]
    ) -> Results:
        for src, dst in pairs:
            await self.write(dst, await source.read_bytes(src))
        return [None] * len(pairs)


def filled(backend: MemoryBackend | None = None) -> Store:
    store = Store(backend or MemoryBackend(), "from")
    for name in ("a", "b", "d/e"):
        store.write(name, name.encode())
    return store


def told(found: Sequence[object]) -> list[type[Any]]:
    return [type(result) for result in found]


OK = WriteResult


def test_each_pair_has_its_result() -> None:
    """In their order, below the root of the target; the backend gets keys, each target once."""
    backend = Copying()
    target = Store(backend, "to")
    target.write("there", b"old")
    found = target.copy_many_from(
        filled(),
        [
            ("a", "x"),
            ("none", "y"),
            ("../a", "y"),
            ("d", "y/z"),
            (RemotePath("b"), RemotePath("new/b")),
            ("b", "there"),
            ("b", "./x"),
            ("a", ""),
            ("b", "y"),
        ],
    )
    assert told(found) == [
        *(OK, NotFound, InvalidPath, InvalidPath, OK),
        *(AlreadyExists, AlreadyExists, InvalidPath, OK),
    ]
    assert [str(r.path) for r in found if isinstance(r, WriteResult)] == ["x", "new/b", "y"]
    assert backend.asked == [
        ("from/a", "to/x"),
        ("from/none", "to/y"),
        ("from/d", "to/y/z"),
        ("from/b", "to/new/b"),
        ("from/b", "to/there"),
    ]
    files = target.list_files("", recursive=True)
    contents = {str(f.path): target.read_bytes(f.path) for f in files}
    assert contents == {"x": b"a", "new/b": b"b", "there": b"old", "y": b"b"}
    assert target.copy_many_from(filled(), []) == []
    assert told(target.copy_many_from(filled(), [("a", ".."), ("", "n")])) == [InvalidPath] * 2
    assert backend.calls == 1


def test_arguments() -> None:
    """What are no pairs of paths is refused before anything else."""
    backend = Copying()
    for wrong in ("ab", ["ab"], [("a", "b", "c")], [("a",)], {"ab": "c"}, [5], [("a", 5)], 5):
        with pytest.raises(TypeError):
            Store(backend).copy_many_from(filled(), wrong)  # type: ignore[arg-type]
    assert not backend.calls


class NoCopy(Copying):
    @property
    def capabilities(self) -> CapabilitySet:
        return CapabilitySet(set(super().capabilities) - {Capability.COPY})


@pytest.mark.parametrize("backends", [(NoCopy(), Copying()), (Copying(), NoCopy())])
def test_both_sides_copy(backends: tuple[Copying, Copying]) -> None:
    """As for one file."""
    target, source = map(Store, backends)
    with pytest.raises(CapabilityNotSupported) as caught:
        target.copy_many_from(source, [("a", "b")])
    assert caught.value.capability == "copy"
    assert not backends[0].calls


class Wrapped:
    """Hands on what it does not know."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class Guarded(Copying):
    """Lets nothing be copied, by the operation that it knows."""

    def copy_from(self, *_: object, **more: object) -> WriteResult | None:
        raise InvalidPath("guarded")


class Old(Copying):
    """Has a method of that name that means something else."""

    CONTRACT = "1.0"


def patched() -> Copying:
    backend = Copying()
    backend.copy_from = Guarded().copy_from  # type: ignore[method-assign]
    return backend


@pytest.mark.parametrize(
    "backend",
    [MemoryBackend(), Wrapped(Copying()), Guarded(), Old(), patched()],
    ids=lambda backend: type(backend).__name__,
)
@pytest.mark.asyncio
async def test_who_is_not_asked(backend: Any) -> None:
    """Who lacks it, only hands it on, or copies in a way of its own; through a bridge, too."""
    store = Store(backend)
    source = filled()
    with pytest.raises(CapabilityNotSupported, match="nothing was done") as caught:
        store.copy_many_from(source, [("a", "a")])
    assert caught.value.capability == "copy_many_from"
    within = AsyncStore(source.unwrap(MemoryBackend), "from")
    with pytest.raises(CapabilityNotSupported) as caught:
        await AsyncStore(backend).copy_many_from(within, [("a", "a")])
    assert caught.value.capability == "copy_many_from"
    assert not store.exists("a")


@pytest.mark.asyncio
async def test_through_both_bridges() -> None:
    """The backends within meet in one call; what is on the other side cannot be met."""
    ours, theirs = Copying(), MemoryBackend()
    filled(theirs)
    async with (
        AsyncStore(SyncBackendAdapter(ours), "to") as target,
        AsyncStore(SyncBackendAdapter(theirs), "from") as source,
        AsyncStore(AsyncMemoryBackend()) as other,
    ):
        found = await target.copy_many_from(source, [("a", "a"), ("none", "b")])
        assert told(found) == [OK, NotFound]
        with pytest.raises(CapabilityNotSupported, match="copy_many_from"):
            await target.copy_many_from(other, [("a", "c")])
    assert ours.calls == 1

    def sync() -> None:
        with (
            Store(AsyncBackendSyncAdapter(AsyncCopying())) as target,
            Store(AsyncBackendSyncAdapter(AsyncMemoryBackend())) as source,
            Store(MemoryBackend()) as other,
        ):
            source.write("a", b"1")
            assert target.copy_many_from(source, [("a", "b")]) == [None]
            assert target.read_bytes("b") == b"1"
            with pytest.raises(CapabilityNotSupported, match="copy_many_from"):
                target.copy_many_from(other, [("a", "c")])

    await asyncio.to_thread(sync)


class Decrypting(AsyncBackendSyncAdapter):
    """May hand out other content than is stored."""


class AsyncDecrypting(SyncBackendAdapter):
    """May hand out other content than is stored."""


@pytest.mark.parametrize("own", ["source", "target"])
@pytest.mark.asyncio
async def test_a_class_that_is_made_from_a_bridge_is_not_passed_by(own: str) -> None:
    """Its content need not be that of the backend within."""
    ours = Copying()
    one = (AsyncDecrypting if own == "source" else SyncBackendAdapter)(MemoryBackend())
    two = (AsyncDecrypting if own == "target" else SyncBackendAdapter)(ours)
    async with AsyncStore(one) as source, AsyncStore(two) as target:
        with pytest.raises(CapabilityNotSupported, match="copy_many_from"):
            await target.copy_many_from(source, [("a", "b")])

    def sync() -> None:
        one = (Decrypting if own == "source" else AsyncBackendSyncAdapter)(AsyncMemoryBackend())
        two = (Decrypting if own == "target" else AsyncBackendSyncAdapter)(AsyncCopying())
        with (
            Store(one) as source,
            Store(two) as target,
            pytest.raises(CapabilityNotSupported, match="copy_many_from"),
        ):
            target.copy_many_from(source, [("a", "b")])

    await asyncio.to_thread(sync)
    assert not ours.calls


class Failing(Copying):
    error: BaseException

    def copy_many_from(self, source: Backend, pairs: Sequence[tuple[str, str]]) -> Results:
        raise self.error


def failing(error: BaseException) -> Store:
    backend = Failing()
    backend.error = error
    return Store(backend, "to")


def test_a_backend_that_fails_as_a_whole() -> None:
    """Each pair has that error, as one about its target."""
    error = StoreClosed("closed", outcome_unknown=True)
    found = failing(error).copy_many_from(filled(), [("a", "a"), ("..", "c"), ("b", "b")])
    assert told(found) == [StoreClosed, InvalidPath, StoreClosed]
    closed = [e for e in found if isinstance(e, StoreClosed)]
    assert [(e.path, e.outcome_unknown) for e in closed] == [("to/a", True), ("to/b", True)]
    assert {e.__cause__ for e in closed} == {error}


@pytest.mark.parametrize("told", [[], [None, None]])
def test_a_backend_that_tells_of_others(told: Results) -> None:
    """Nobody knows what it has done."""

    class Strange(Copying):
        def copy_many_from(self, source: Backend, pairs: Sequence[tuple[str, str]]) -> Results:
            return told

    with pytest.raises(RemoteStoreError, match="was asked for 1") as caught:
        Store(Strange()).copy_many_from(filled(), [("a", "b")])
    assert caught.value.outcome_unknown


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Hears what stores do."""
    listener = Listener()
    register_plugin(listener)
    yield listener
    unregister_plugin(listener)


def test_each_copy_is_observed(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """As one that was made alone, with its bytes."""
    source, target = filled(), Store(Copying())
    caplog.set_level(logging.INFO, "remote_store")
    listener.events.clear()
    pairs = [("d/e", "x"), ("a", "./y"), ("none", "z"), ("a", ".."), ("b", "x")]
    target.copy_many_from(source, pairs)
    seen = [(e.name, e.path, e.bytes, e.outcome, type(e.error)) for e in listener.events]
    assert seen == [
        ("copy_from", "x", 3, "ok", type(None)),
        ("copy_from", "./y", 1, "ok", type(None)),
        ("copy_from", "z", None, "error", NotFound),
        ("copy_from", "x", None, "error", AlreadyExists),
    ]
    records = [(r.op, r.path) for r in caplog.records]  # type: ignore[attr-defined]
    assert records == [("copy_from", "x"), ("copy_from", "./y")]


def test_what_was_not_done_is_not_observed(listener: Listener) -> None:
    """Who is refused asks for each file next, which is observed then."""
    source = filled()
    listener.events.clear()
    refusal = CapabilityNotSupported("no", capability="copy_many_from")
    for target in (Store(MemoryBackend()), failing(refusal)):
        with pytest.raises(CapabilityNotSupported):
            target.copy_many_from(source, [("a", "a"), ("b", "b")])
    assert not listener.events
    failing(BackendUnavailable("x")).copy_many_from(source, [("a", "a"), ("b", "b")])
    assert [(e.path, e.outcome) for e in listener.events] == [("a", "error"), ("b", "error")]


def test_a_call_that_is_cut_off_is_observed(listener: Listener) -> None:
    """Each pair, since any of them may be there."""
    source = filled()
    listener.events.clear()
    with pytest.raises(KeyboardInterrupt):
        failing(KeyboardInterrupt()).copy_many_from(source, [("a", "a"), ("b", "b")])
    assert {(e.path, e.outcome) for e in listener.events} == {
        ("a", "cancelled"),
        ("b", "cancelled"),
    }
