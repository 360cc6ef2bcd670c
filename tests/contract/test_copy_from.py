"""`copy_from`: what a store refuses, what reaches a backend, and through which bridges."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from tests.contract.probes import Recorder, as_backend
from tests.contract.reference import DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    RemotePath,
    Store,
    WriteResult,
)
from remote_store.aio import AsyncStore, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

pytestmark = pytest.mark.asyncio


class Copying(Recorder):
    """Notes what it is told, and tells of what it has made what a test wants."""

    CONTRACT = "1.1"
    answer: WriteResult | None = None

    async def copy_from(self, source: Any, src: str, dst: str, **more: Any) -> WriteResult | None:
        self.asked = (source, src, dst, more)
        return self.answer


def copying(*missing: Capability) -> Any:
    return as_backend(Copying(DictBackend(), CapabilitySet(set(Capability) - set(missing))))


async def test_the_backend_is_told_both_keys_and_the_source() -> None:
    """Below the roots of both stores; what it tells comes back below that of the target."""
    theirs, ours = copying(), copying()
    source, target = AsyncStore(theirs, "from"), AsyncStore(ours, "to")
    assert await target.copy_from(source, "a/./b", RemotePath("c")) is None
    assert ours.asked == (theirs, "from/a/b", "to/c", {"overwrite": False})
    ours.answer = WriteResult(RemotePath("to/c"), 3)
    result = await target.copy_from(source, "a", "c", overwrite=True, if_match="v1")
    assert result == WriteResult(RemotePath("c"), 3)
    assert ours.asked[3] == {"overwrite": True, "if_match": "v1"}


@pytest.mark.parametrize(
    ("backend", "capability"),
    [
        (DictBackend(), "copy_from"),
        (AsyncMemoryBackend(), "copy_from"),
        (Recorder(copying()), "copy_from"),
        (copying(Capability.COPY), "copy"),
    ],
    ids=["1.0", "default", "handed on", "no COPY"],
)
async def test_who_cannot_refuses(backend: Any, capability: str) -> None:
    """By its name; a wrapper that only hands it on is not asked."""
    store = AsyncStore(as_backend(backend))
    versions = [None] + ["v"] * store.supports(Capability.CONDITIONAL_WRITE)
    for version in versions:
        with pytest.raises(CapabilityNotSupported) as caught:
            await store.copy_from(AsyncStore(copying()), "a", "b", if_match=version)
        assert caught.value.capability == capability


async def test_both_sides_copy_and_a_version_needs_conditions() -> None:
    """What a store refuses by itself reaches no backend."""
    ours = copying()
    with pytest.raises(CapabilityNotSupported) as caught:
        await AsyncStore(ours).copy_from(AsyncStore(copying(Capability.COPY)), "a", "b")
    assert caught.value.capability == "copy"
    plain = copying(Capability.CONDITIONAL_WRITE)
    with pytest.raises(CapabilityNotSupported) as caught:
        await AsyncStore(plain).copy_from(AsyncStore(ours), "a", "b", if_match="v")
    assert caught.value.capability == "conditional_write"
    for src, dst in (("", "b"), ("a", ""), ("../a", "b"), ("a", "b/../..")):
        with pytest.raises(InvalidPath):
            await AsyncStore(ours).copy_from(AsyncStore(ours), src, dst)
    with pytest.raises(ValueError, match="if_match"):
        await AsyncStore(ours).copy_from(AsyncStore(ours), "a", "b", if_match="*")
    assert not hasattr(ours, "asked")
    assert not hasattr(plain, "asked")


async def test_a_copy_is_logged_and_a_refusal_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """With the new path, whatever the backend tells of it."""
    caplog.set_level(logging.INFO, "remote_store")
    target = AsyncStore(copying())
    await target.copy_from(target, "a", "b")
    with pytest.raises(CapabilityNotSupported):
        await AsyncStore(AsyncMemoryBackend()).copy_from(target, "a", "b")
    assert [(r.op, r.path) for r in caplog.records] == [("copy_from", "b")]  # type: ignore[attr-defined]


async def test_through_both_bridges() -> None:
    """The backends within meet, with the version; what is on the other side cannot be met."""
    theirs, ours = copying(), copying()

    def sync() -> None:
        with (
            Store(AsyncBackendSyncAdapter(theirs)) as source,
            Store(AsyncBackendSyncAdapter(ours)) as target,
        ):
            target.copy_from(source, "a", "b", if_match="v")
            for one, other in (
                (Store(MemoryBackend()), target),
                (target, Store(MemoryBackend())),
                (Store(AsyncBackendSyncAdapter(AsyncMemoryBackend())), target),
            ):
                with pytest.raises(CapabilityNotSupported, match="by itself"):
                    one.copy_from(other, "a", "b")

    await asyncio.to_thread(sync)
    assert ours.asked == (theirs, "a", "b", {"overwrite": False, "if_match": "v"})

    async with (
        AsyncStore(SyncBackendAdapter(AsyncBackendSyncAdapter(theirs))) as source,
        AsyncStore(SyncBackendAdapter(AsyncBackendSyncAdapter(ours))) as target,
        AsyncStore(SyncBackendAdapter(MemoryBackend())) as memory,
    ):
        await target.copy_from(source, "c", "d", overwrite=True)
        with pytest.raises(CapabilityNotSupported, match="by itself"):
            await memory.copy_from(source, "c", "d")
    assert ours.asked == (theirs, "c", "d", {"overwrite": True})


class Decrypting(AsyncBackendSyncAdapter):
    """May hand out other content than is stored."""


class AsyncDecrypting(SyncBackendAdapter):
    """May hand out other content than is stored."""


@pytest.mark.parametrize("own", ["source", "target"])
async def test_a_class_that_is_made_from_a_bridge_is_not_passed_by(own: str) -> None:
    """Its content need not be that of the backend within."""
    theirs, ours = copying(), copying()
    sync = [
        (Decrypting if side == own else AsyncBackendSyncAdapter)(backend)
        for side, backend in (("source", theirs), ("target", ours))
    ]

    def refused() -> None:
        with (
            Store(sync[0]) as source,
            Store(sync[1]) as target,
            pytest.raises(CapabilityNotSupported, match="by itself"),
        ):
            target.copy_from(source, "a", "b")

    await asyncio.to_thread(refused)
    within = [AsyncBackendSyncAdapter(backend) for backend in (theirs, ours)]
    async with (
        AsyncStore((AsyncDecrypting if own == "source" else SyncBackendAdapter)(within[0])) as one,
        AsyncStore((AsyncDecrypting if own == "target" else SyncBackendAdapter)(within[1])) as two,
    ):
        with pytest.raises(CapabilityNotSupported, match="by itself"):
            await two.copy_from(one, "a", "b")
    assert not hasattr(ours, "asked")
