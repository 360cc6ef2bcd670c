"""`create_folder`: what a store refuses, what reaches a backend, and through which bridges."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.probes import Listener, Recorder, as_backend
from tests.contract.reference import NAME, DictBackend
from tests.objects.service import Bucket

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    RemotePath,
    Store,
    register_plugin,
    unregister_plugin,
)
from remote_store.aio import AsyncStore, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

pytestmark = pytest.mark.asyncio


class Making(Recorder):
    """Notes the folders that it is to make."""

    CONTRACT = "1.1"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made: list[str] = []

    async def create_folder(self, path: str) -> None:
        self.made.append(path)


def making(*missing: Capability) -> Any:
    return as_backend(Making(DictBackend(), CapabilitySet(set(Capability) - set(missing))))


async def test_the_backend_gets_the_key() -> None:
    """From the async store, from the sync one, and through both bridges."""
    backend = making()
    async with AsyncStore(backend, "root") as store:
        await store.create_folder("a/./b")
        await store.create_folder("")
        await store.child("c").create_folder(RemotePath("d"))
    await AsyncStore(backend).create_folder(".")

    def call() -> None:
        with Store(AsyncBackendSyncAdapter(backend), "root") as sync:
            sync.create_folder("e")

    await asyncio.to_thread(call)
    async with AsyncStore(SyncBackendAdapter(AsyncBackendSyncAdapter(backend))) as twice:
        await twice.create_folder("f")
    assert backend.made == ["root/a/b", "root", "root/c/d", "", "root/e", "f"]


@pytest.mark.parametrize("missing", [Capability.CREATE_FOLDER, Capability.WRITE])
async def test_gates(missing: Capability) -> None:
    """What is not declared is refused by name, before the path is looked at."""
    backend = making(missing)
    with pytest.raises(CapabilityNotSupported, match=missing.value) as caught:
        await AsyncStore(backend).create_folder("..")
    assert (caught.value.capability, caught.value.backend) == (missing.value, NAME)
    assert backend.made == []
    with pytest.raises(InvalidPath):
        await AsyncStore(making()).create_folder("..")


async def test_where_folders_are_not_real() -> None:
    """The refusal says why, from the store, the protocols' defaults, and the toolkit."""
    bucket = Bucket()
    objects = bucket.backend()
    reader: Any = type("Reader", (MemoryBackend,), {"CONTRACT": "1.0"})()
    for found in (
        AsyncStore(making(Capability.CREATE_FOLDER)),
        AsyncStore(objects),
        objects,
        AsyncStore(reader),
        SyncBackendAdapter(reader),
    ):
        with pytest.raises(CapabilityNotSupported, match="only through the files in it") as caught:
            await found.create_folder("a")
        assert (caught.value.capability, caught.value.path) == ("create_folder", "a")
    assert not AsyncStore(objects).supports(Capability.CREATE_FOLDER)
    assert bucket.calls == []
    await objects.aclose()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Hears what stores do."""
    heard = Listener()
    register_plugin(heard)
    yield heard
    unregister_plugin(heard)


async def test_it_is_observed(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """One event and one record at INFO, as for any change."""
    caplog.set_level(logging.INFO, "remote_store")
    store = AsyncStore(AsyncMemoryBackend())
    await store.create_folder("a")
    with pytest.raises(InvalidPath):
        await store.write("a", b"")
    assert [(e.name, e.path, e.bytes, e.outcome) for e in listener.events] == [
        ("create_folder", "a", None, "ok"),
        ("write", "a", None, "error"),
    ]
    assert [r.getMessage() for r in caplog.records] == ["create_folder 'a' done"]
