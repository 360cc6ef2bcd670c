"""Files that are deleted together: what a store makes of it, and when it is not asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    NotFound,
    OperationEvent,
    PreconditionFailed,
    RemotePath,
    RemoteStoreError,
    Store,
    StoreClosed,
    hookimpl,
    register_plugin,
    unregister_plugin,
)
from remote_store.aio import AsyncStore, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

Refused = Mapping[str, RemoteStoreError]


class Many(MemoryBackend):
    """Deletes together, by a method that counts."""

    calls = 0

    def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Refused:
        self.calls += 1
        assert len(set(paths)) == len(paths)
        refused: dict[str, RemoteStoreError] = {}
        for path in paths:
            try:
                MemoryBackend.delete(
                    self, path, missing_ok=missing_ok, if_match=(if_match or {}).get(path)
                )
            except RemoteStoreError as error:
                refused[path] = error
        return refused


def filled(backend: MemoryBackend) -> Store:
    store = Store(backend, "root")
    for name in ("a", "b", "c", "d/e"):
        store.write(name, b"1")
    return store


def told(found: Any) -> list[type[Any]]:
    return [type(error) for error in found]


OK = type(None)


def test_each_path_has_its_result() -> None:
    """In their order; a path that is there twice is missing the second time."""
    backend = Many()
    store = filled(backend)
    paths: list[str | RemotePath] = ["a", "none", "../x", "d", RemotePath("b"), "./a", ""]
    found = store.delete_many(paths)
    assert told(found) == [OK, NotFound, InvalidPath, InvalidPath, OK, NotFound, InvalidPath]
    assert backend.calls == 1
    assert sorted(f.path.as_posix() for f in store.list_files("", recursive=True)) == ["c", "d/e"]
    assert told(store.delete_many(["c", "c", "none"], missing_ok=True)) == [OK, OK, OK]
    assert store.delete_many([]) == []
    assert told(store.delete_many(["..", "../x"])) == [InvalidPath] * 2
    assert backend.calls == 2


def test_versions() -> None:
    """Each path has its own; also the second time."""
    store = filled(Many())
    etags = {p: store.get_file_info(p).etag or "" for p in ("a", "b")}
    store.write("b", b"2", overwrite=True)
    found = store.delete_many(["a", "b", "c", "b"], if_match=etags)
    assert told(found) == [OK, PreconditionFailed, OK, PreconditionFailed]
    assert store.exists("b")


def test_arguments() -> None:
    """What is no list of paths, or no version of one of them, is refused before anything else."""
    store = filled(Many())
    for wrong in ("a", RemotePath("a"), ["a", 5]):
        with pytest.raises(TypeError):
            store.delete_many(wrong)  # type: ignore[arg-type]
    for etags in ({"b": "v"}, {"a": ""}, {"a": "*"}, {"a": '"v"'}):
        with pytest.raises(ValueError, match="if_match"):
            store.delete_many(["a"], if_match=etags)
    assert store.exists("a")

    class Less(Many):
        lacks: Capability

        @property
        def capabilities(self) -> CapabilitySet:
            return CapabilitySet(set(super().capabilities) - {self.lacks})

    backend = Less()
    backend.lacks = Capability.DELETE
    with pytest.raises(CapabilityNotSupported):
        Store(backend).delete_many(["a"])
    backend = Less()
    backend.lacks = Capability.CONDITIONAL_WRITE
    with pytest.raises(CapabilityNotSupported):
        Store(backend).delete_many(["a"], if_match={"a": "v"})


class Wrapped:
    """Hands on what it does not know."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


class Guarded(Many):
    """Lets nothing be deleted, by the operation that it knows."""

    def delete(self, path: str, *, missing_ok: bool = False, if_match: str | None = None) -> None:
        raise InvalidPath("guarded")


class GuardedWrapper(Wrapped):
    """The same around another backend."""

    def delete(self, path: str, *, missing_ok: bool = False) -> None:
        raise InvalidPath("guarded")


class Old(Many):
    """Has a method of that name that means something else."""

    CONTRACT = "1.0"


def patched() -> Many:
    backend = Many()
    backend.delete = Guarded().delete  # type: ignore[method-assign]
    return backend


@pytest.mark.parametrize(
    "backend",
    [MemoryBackend(), Wrapped(Many()), Guarded(), GuardedWrapper(Many()), Old(), patched()],
    ids=lambda backend: type(backend).__name__,
)
@pytest.mark.asyncio
async def test_who_is_not_asked(backend: Any) -> None:
    """Who lacks it, only hands it on, or deletes in a way of its own; through a bridge, too."""
    store = Store(backend)
    store.write("a", b"1")
    store.write("b", b"1")
    with pytest.raises(CapabilityNotSupported, match="nothing was done") as caught:
        store.delete_many(["a", "b"])
    assert caught.value.capability == "delete_many"
    with pytest.raises(CapabilityNotSupported) as caught:
        await AsyncStore(backend).delete_many(["a", "b"])
    assert caught.value.capability == "delete_many"
    assert store.exists("a")
    assert store.exists("b")


@pytest.mark.asyncio
async def test_through_both_bridges() -> None:
    """A sync backend in an async store, and an async one in a sync store."""
    backend = Many()
    filled(backend)
    async with AsyncStore(SyncBackendAdapter(backend), "root") as store:
        assert told(await store.delete_many(["a", "none"])) == [OK, NotFound]
    assert backend.calls == 1

    class AsyncMany(AsyncMemoryBackend):
        async def delete_many(
            self,
            paths: Sequence[str],
            *,
            missing_ok: bool = False,
            if_match: Mapping[str, str] | None = None,
        ) -> Refused:
            await asyncio.sleep(0)
            return {paths[0]: NotFound("x")}

    def sync() -> None:
        with Store(AsyncBackendSyncAdapter(AsyncMany())) as other:
            assert told(other.delete_many(["a", "none"])) == [NotFound, OK]

    await asyncio.to_thread(sync)


class Broken(Many):
    error: RemoteStoreError

    def delete_many(self, paths: Sequence[str], **_: Any) -> Refused:
        raise self.error


def test_a_backend_that_fails_as_a_whole() -> None:
    """Each path has that error, as one about itself."""
    backend = Broken()
    backend.error = StoreClosed("closed", outcome_unknown=True)
    found = Store(backend, "root").delete_many(["a", "..", "b"])
    assert told(found) == [StoreClosed, InvalidPath, StoreClosed]
    closed = [error for error in found if isinstance(error, StoreClosed)]
    assert [(e.path, e.filename, e.outcome_unknown) for e in closed] == [
        ("root/a", "root/a", True),
        ("root/b", "root/b", True),
    ]
    assert {e.__cause__ for e in closed} == {backend.error}


def test_a_backend_that_tells_of_other_paths() -> None:
    """Nobody knows what it has done."""

    class Strange(Many):
        def delete_many(self, paths: Sequence[str], **_: Any) -> Refused:
            return {"elsewhere": NotFound("x")}

    with pytest.raises(RemoteStoreError, match="elsewhere") as caught:
        Store(Strange()).delete_many(["a"])
    assert caught.value.outcome_unknown


class Listener:
    def __init__(self) -> None:
        self.events: list[OperationEvent] = []

    @hookimpl
    def remote_store_operation(self, event: OperationEvent) -> None:
        self.events.append(event)


def test_each_deletion_is_observed(caplog: pytest.LogCaptureFixture) -> None:
    """As one that was made alone: who audits deletions misses none."""
    caplog.set_level(logging.INFO, "remote_store")
    listener = Listener()
    register_plugin(listener)
    try:
        store = filled(Many())
        listener.events.clear()
        caplog.clear()
        store.delete_many(["a", "./b", "none", "..", "a"])
    finally:
        unregister_plugin(listener)
    seen = [(e.name, e.path, e.outcome, type(e.error)) for e in listener.events]
    assert seen == [
        ("delete", "a", "ok", OK),
        ("delete", "./b", "ok", OK),
        ("delete", "none", "error", NotFound),
        ("delete", "a", "error", NotFound),
    ]
    records = [(r.op, r.path) for r in caplog.records]  # type: ignore[attr-defined]
    assert records == [("delete", "a"), ("delete", "./b")]


def test_what_was_not_done_is_not_observed() -> None:
    """Nothing was."""
    listener = Listener()
    register_plugin(listener)
    try:
        backend = Broken()
        backend.error = CapabilityNotSupported("no", capability="delete_many")
        for refusing in (MemoryBackend(), backend):
            with pytest.raises(CapabilityNotSupported):
                Store(refusing).delete_many(["a", "b"])
        backend.error = RemoteStoreError("x")
        Store(backend).delete_many(["a", "b"])
    finally:
        unregister_plugin(listener)
    assert [(e.path, e.outcome) for e in listener.events] == [("a", "error"), ("b", "error")]


def test_a_call_that_is_cut_off_is_observed() -> None:
    """Each path, since any of them may be gone."""

    class Interrupted(Many):
        def delete_many(self, paths: Sequence[str], **_: Any) -> Refused:
            raise KeyboardInterrupt

    listener = Listener()
    register_plugin(listener)
    try:
        with pytest.raises(KeyboardInterrupt):
            Store(Interrupted()).delete_many(["a", "b"])
    finally:
        unregister_plugin(listener)
    assert {(e.path, e.outcome) for e in listener.events} == {
        ("a", "cancelled"),
        ("b", "cancelled"),
    }
