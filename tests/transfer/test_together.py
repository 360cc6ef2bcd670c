"""Deletions that a storage makes together: by list, and those of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

import remote_store_transfer as sync
from remote_store import (
    InvalidPath,
    NotFound,
    PermissionDenied,
    RemotePath,
    RemoteStoreError,
    Store,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store.authoring import cannot_delete_many
from remote_store_memory import AsyncMemoryBackend, MemoryBackend
from remote_store_transfer import aio

Refused = Mapping[str, RemoteStoreError]


class Many(AsyncMemoryBackend):
    """Notes what it is asked to delete together; refuses what is named so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.declines = False

    async def delete_many(
        self,
        paths: Sequence[str],
        *,
        missing_ok: bool = False,
        if_match: Mapping[str, str] | None = None,
    ) -> Refused:
        self.asked.append(len(paths))
        if self.declines:
            raise cannot_delete_many(self.name)
        refused: dict[str, RemoteStoreError] = {}
        for path in paths:
            try:
                if path.endswith("kept"):
                    raise PermissionDenied("no", path=path)
                etag = (if_match or {}).get(path)
                await self.delete(path, missing_ok=missing_ok, if_match=etag)
            except RemoteStoreError as error:
                refused[path] = error
        return refused

    async def delete(
        self, path: str, *, missing_ok: bool = False, if_match: str | None = None
    ) -> None:
        await super().delete(path, missing_ok=missing_ok, if_match=if_match)


async def filled(store: AsyncStore, *names: str) -> None:
    for name in names:
        await store.write(name, b"1")


@pytest.mark.asyncio
async def test_a_list_is_one_call() -> None:
    """Each path has its result, as without."""
    results = []
    for backend in (Many(), AsyncMemoryBackend()):
        store = AsyncStore(backend)
        await filled(store, "a", "b", "d/e")
        results.append(await aio.delete_many(store, ["a", "none", "d", "../x", "b", "./a"]))
        if isinstance(backend, Many):
            assert backend.asked == [4]
    together, alone = ([(r.path, type(r.error)) for r in each] for each in results)
    assert together == alone
    assert [kind for _, kind in together] == [
        type(None),
        NotFound,
        InvalidPath,
        InvalidPath,
        type(None),
        NotFound,
    ]


@pytest.mark.asyncio
async def test_what_is_declined_goes_one_by_one() -> None:
    """And one path alone is not asked about."""
    backend = Many()
    backend.declines = True
    store = AsyncStore(backend)
    await filled(store, "a", "b")
    assert all(r.ok for r in await aio.delete_many(store, ["a", "b"]))
    assert backend.asked == [2]
    await aio.delete_many(store, ["a"])
    assert backend.asked == [2]


def test_the_sync_side() -> None:
    """A sync store hands on what its backend tells."""

    class SyncMany(MemoryBackend):
        def delete_many(
            self, paths: Sequence[str], *, missing_ok: bool = False, **_: Any
        ) -> Refused:
            return {} if missing_ok else {paths[1]: NotFound("no", path=paths[1])}

    store = Store(SyncMany(), "root")
    results = sync.delete_many(store, ["a", "b", "c"])
    assert [r.ok for r in results] == [True, False, True]
    assert isinstance(results[1].error, NotFound)
    assert all(r.ok for r in sync.delete_many(store, ["a", "b"], missing_ok=True))


@pytest.mark.asyncio
async def test_deletions_of_a_plan() -> None:
    """Each of the version that the plan saw: what was written since stays, and is a conflict."""
    backend = Many()
    source, target = AsyncStore(AsyncMemoryBackend()), AsyncStore(backend)
    await filled(source, "new")
    names = [f"old/{number}" for number in range(30)]
    await filled(target, *names, "old/kept")
    ended: list[tuple[str, bool]] = []
    async with aio.plan(source, target, delete=True) as actions:
        await actions.prepare()
        await target.write(names[3], b"somebody else's", overwrite=True)
        await target.delete(names[4])
        report = await aio.execute(
            actions, ended=lambda action, failure: ended.append((action.path, failure is None))
        )
    assert backend.asked == [31]
    assert report.deleted == 29
    failures = {f.path: (f.kind, f.error) for f in report.failures}
    assert failures == {
        names[3]: ("conflict", "PreconditionFailed"),
        "old/kept": ("delete", "PermissionDenied"),
    }
    left = sorted([f.path.as_posix() async for f in target.list_files("", recursive=True)])
    assert left == ["new", names[3], "old/kept"]
    assert len(ended) == 32
    assert sum(ok for _, ok in ended) == 30


@pytest.mark.asyncio
async def test_deletions_of_a_plan_that_are_declined() -> None:
    """They go one by one, in parts of a thousand."""
    backend = Many()
    backend.declines = True
    source, target = AsyncStore(AsyncMemoryBackend()), AsyncStore(backend)
    await filled(source, "new")
    await filled(target, *(f"old/{number}" for number in range(1005)))
    report = await aio.sync_tree(source, target, delete=True)
    assert (report.deleted, report.failures) == (1005, ())
    assert backend.asked == [1000, 5]


class Guarded(AsyncStore):
    """A store of a program's own, which keeps what is deleted."""

    async def delete(self, path: str | RemotePath, **_: Any) -> None:
        await self.move(path, f"trash/{path}")


class Handing:
    """The same, over a store that it hands on."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def delete(self, path: str | RemotePath, **_: Any) -> None:
        await self._store.move(path, f"trash/{path}")


@pytest.mark.asyncio
@pytest.mark.parametrize("cls", [Guarded, lambda backend: Handing(AsyncStore(backend))])
async def test_a_deletion_of_a_programs_own_is_not_gone_past(cls: Any) -> None:
    """Not by a list, and not by a plan."""
    backend = Many()
    store = cls(backend)
    await filled(store, "a", "b", "d/e", "d/f")
    await aio.delete_many(store, ["a", "b"])
    source = AsyncStore(AsyncMemoryBackend())
    await filled(source, "new")
    await aio.sync_tree(source, store, target_path="d", delete=True)
    left = sorted([f.path.as_posix() async for f in store.list_files("", recursive=True)])
    assert left == ["d/new", "trash/a", "trash/b", "trash/d/e", "trash/d/f"]
    assert backend.asked == []


def test_a_sync_deletion_of_a_programs_own_is_not_gone_past() -> None:
    """Sync stores take part as backends of async ones."""
    seen: list[str] = []

    class Noting(Store):
        def delete(self, path: str | RemotePath, **options: Any) -> None:
            seen.append(str(path))
            super().delete(path, **options)

    class SyncMany(MemoryBackend):
        def delete_many(self, paths: Sequence[str], **_: Any) -> Refused:
            return {}

    store = Noting(SyncMany())
    store.write("a", b"")
    store.write("b", b"")
    assert all(r.ok for r in sync.delete_many(store, ["a", "b"]))
    assert sorted(seen) == ["a", "b"]


class Copies(AsyncMemoryBackend):
    """Copies by itself, and notes it."""

    asked = False

    async def copy_from(self, source: Any, src: str, dst: str, **_: Any) -> WriteResult | None:
        self.asked = True
        return await self.write(dst, await source.read_bytes(src))


class Upper(AsyncStore):
    """A store of a program's own, which changes what it reads."""

    async def read_bytes(self, path: str | RemotePath) -> bytes:
        return (await super().read_bytes(path)).upper()


class Lower(AsyncStore):
    """And one that changes what it writes."""

    async def write(self, path: str | RemotePath, content: Any, **options: Any) -> WriteResult:
        return await super().write(path, content.lower(), **options)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("of_source", "of_target", "arrives"),
    [(AsyncStore, AsyncStore, b"Abc"), (Upper, AsyncStore, b"ABC"), (AsyncStore, Lower, b"abc")],
)
async def test_what_a_program_does_to_content_is_not_gone_past(
    of_source: type[AsyncStore],
    of_target: type[AsyncStore],
    arrives: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The storage copies by itself only what is stored as it is read and written."""
    monkeypatch.setattr("remote_store_transfer._copying.copy.DOUBT", timedelta(0))
    backend = Copies()
    source, target = of_source(Copies()), of_target(backend)
    await AsyncStore.write(source, "a", b"Abc")
    await aio.copy_between(source, "a", target, "b")
    assert await AsyncStore.read_bytes(target, "b") == arrives
    assert backend.asked is (arrives == b"Abc")
