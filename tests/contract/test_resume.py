"""`resume`: what a store refuses, and what reaches a backend."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from tests.contract.probes import Recorder, Source, as_backend
from tests.contract.reference import DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    Store,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend


class Resuming(AsyncMemoryBackend):
    """Says that it goes on, and takes note of who asks for it."""

    CAPABILITIES: ClassVar[CapabilitySet] = CapabilitySet(
        {*AsyncMemoryBackend.CAPABILITIES, Capability.RESUMABLE_WRITE}
    )

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []

    @property
    def capabilities(self) -> CapabilitySet:
        return self.CAPABILITIES

    async def write(self, path: str, content: Any, **options: Any) -> WriteResult:
        self.asked.append({name: value for name, value in options.items() if name == "resume"})
        options.pop("resume", None)
        return await super().write(path, content, **options)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "bridged",
    [
        lambda backend: backend,
        lambda backend: SyncBackendAdapter(AsyncBackendSyncAdapter(backend)),
    ],
    ids=["async", "there and back"],
)
async def test_only_who_is_asked_is_told(bridged: Callable[[AsyncBackend], AsyncBackend]) -> None:
    """The keyword comes where it is wanted, of bytes and streams, and otherwise never."""
    backend = Resuming()
    async with AsyncStore(bridged(backend)) as store:
        await store.write("a", b"x", resume=True)
        await store.write("b", [b"x", b"y"], resume=True)
        await store.write("c", b"x")
        await store.write("d", [b"x"], resume=False)
        await store.write_text("e", "x")
    assert backend.asked == [{"resume": True}, {"resume": True}, {}, {}, {}]


def test_sync_stores_hand_it_on() -> None:
    backend = Resuming()
    with Store(AsyncBackendSyncAdapter(backend)) as store:
        store.write("a", b"x", resume=True)
        store.write("b", io.BytesIO(b"x"), resume=True)
        store.write("c", [b"x"], resume=True)
        store.write("d", b"x")
        assert store.read_bytes("b") == b"x"
    assert backend.asked == [{"resume": True}] * 3 + [{}]


@pytest.mark.asyncio
async def test_gate() -> None:
    """What is not declared is refused by name, before path, content and backend."""
    source = Source([b"x"])
    declares = CapabilitySet(Capability)
    old = Recorder(DictBackend(), declares)  # of the first version, whatever its set holds
    for backend in (old, Recorder(DictBackend())):
        store = AsyncStore(as_backend(backend))
        for content in (b"x", source.open()):
            with pytest.raises(CapabilityNotSupported) as caught:
                await store.write("../f", content, resume=True)
            assert caught.value.capability == "resumable_write"
        assert backend.calls == []
    assert source.pulled == 0
    with pytest.raises(CapabilityNotSupported, match="resumable_write"):
        Store(MemoryBackend()).write("f", b"x", resume=True)


@pytest.mark.asyncio
async def test_a_bridge_refuses_it_too() -> None:
    """Called without a store; and what they wrap is never handed a keyword that it lacks."""
    sync = SyncBackendAdapter(MemoryBackend())
    with pytest.raises(CapabilityNotSupported, match="resumable_write"):
        await sync.write("f", b"x", resume=True)
    await sync.write("f", b"x", resume=False)


def test_the_other_bridge_refuses_it_too() -> None:
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        with pytest.raises(CapabilityNotSupported, match="resumable_write"):
            adapter.write("f", b"x", resume=True)
        adapter.write("f", b"x", resume=False)
