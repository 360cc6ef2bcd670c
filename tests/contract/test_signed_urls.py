"""`signed_url`: what a store refuses, what reaches a backend, and through which bridges."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.probes import Recorder, as_backend
from tests.contract.reference import NAME, DictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    InvalidPath,
    Store,
)
from remote_store.aio import AsyncStore, SyncBackendAdapter
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

pytestmark = pytest.mark.asyncio

HOUR = timedelta(hours=1)


class Signing(Recorder):
    """Signs with what it is told."""

    CONTRACT = "1.1"

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        return f"{method} {path} {expires.total_seconds()}"


def signing(*missing: Capability) -> Any:
    return as_backend(Signing(DictBackend(), CapabilitySet(set(Capability) - set(missing))))


@pytest.mark.parametrize(
    ("expires", "seconds"), [(HOUR, 3600), (60, 60), (1.9, 1), (timedelta(milliseconds=1001), 1)]
)
async def test_the_backend_is_told_key_method_and_whole_seconds(
    expires: timedelta | float, seconds: int
) -> None:
    """By the async store, by the sync one, and through both bridges."""
    backend = signing()
    async with AsyncStore(backend, "root") as store:
        assert await store.signed_url("a/./b", expires=expires) == f"GET root/a/b {seconds}.0"
        url = await store.child("a").signed_url("b", expires=expires, method="PUT")
        assert url == f"PUT root/a/b {seconds}.0"

    def call() -> str:
        with Store(AsyncBackendSyncAdapter(backend), "root") as sync:
            return sync.signed_url("b", expires=expires)

    assert await asyncio.to_thread(call) == f"GET root/b {seconds}.0"
    async with AsyncStore(SyncBackendAdapter(AsyncBackendSyncAdapter(backend))) as twice:
        assert await twice.signed_url("b", expires=expires) == f"GET b {seconds}.0"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        *(
            ({"expires": bad}, ValueError)
            for bad in (0, -1, 0.5, timedelta(0), float("nan"), 1e300, timedelta.max)
        ),
        *(({"expires": bad}, TypeError) for bad in ("1", None, True)),
        *(({"expires": 60, "method": bad}, ValueError) for bad in ("get", "DELETE", "")),
    ],
)
async def test_what_cannot_be_is_refused(options: dict[str, Any], error: type[Exception]) -> None:
    """Whatever the backend can do."""
    with pytest.raises(error, match=r"expires|method"):
        await AsyncStore(signing()).signed_url("a", **options)
    with pytest.raises(error, match=r"expires|method"):
        Store(MemoryBackend()).signed_url("a", **options)


@pytest.mark.parametrize(
    ("missing", "method"),
    [
        (Capability.SIGNED_URL, "GET"),
        (Capability.READ, "GET"),
        (Capability.SIGNED_URL, "PUT"),
        (Capability.WRITE, "PUT"),
    ],
)
async def test_gates(missing: Capability, method: Any) -> None:
    """What is not declared is refused by name, before the path is looked at."""
    with pytest.raises(CapabilityNotSupported) as caught:
        await AsyncStore(signing(missing)).signed_url("..", expires=60, method=method)
    assert (caught.value.capability, caught.value.backend) == (missing.value, NAME)
    for path in ("", ".."):
        with pytest.raises(InvalidPath):
            await AsyncStore(signing()).signed_url(path, expires=60, method=method)


async def test_backends_that_do_not_sign_say_so() -> None:
    """By the default of the protocols, called directly; an older one is not asked."""
    for backend in (AsyncMemoryBackend(), SyncBackendAdapter(MemoryBackend())):
        with pytest.raises(CapabilityNotSupported, match="does not sign URLs"):
            await backend.signed_url("a", expires=HOUR)
    with pytest.raises(CapabilityNotSupported, match="does not sign URLs"):
        MemoryBackend().signed_url("a", expires=HOUR)
    older = signing()
    older.CONTRACT = "1.0"
    with pytest.raises(CapabilityNotSupported, match="signed_url"):
        await AsyncStore(older).signed_url("a", expires=60)
