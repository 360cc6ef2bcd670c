"""A backend of an older contract: nothing that came later is asked of it."""

from __future__ import annotations

import asyncio
import io
from typing import Any, BinaryIO

import pytest
from tests.contract.probes import Recorder, as_backend
from tests.contract.reference import DictBackend
from tests.operations import SINCE_1_1
from tests.sync.reference import DictBackend as SyncDictBackend

from remote_store import (
    AsyncBackendSyncAdapter,
    Capability,
    CapabilityNotSupported,
    CapabilitySet,
    ContentHeaders,
    Store,
    WriteResult,
)
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter
from remote_store_memory import MemoryBackend

EVERYTHING = CapabilitySet(Capability)


def stating(version: object) -> Any:
    """Return a backend that declares everything, with a member of its own called read_range."""
    backend: Any = Recorder(DictBackend(), EVERYTHING)
    backend.read_range = lambda *_: pytest.fail("a method of its own, which nobody knows")
    if version is not None:
        backend.CONTRACT = version
    return backend


@pytest.mark.parametrize("version", [None, "1.0", "1", "", "one", 2])
def test_what_came_later_is_not_taken_for_declared(version: object) -> None:
    """A set that grew with the core means what it meant when the backend was written."""
    store = AsyncStore(stating(version))
    assert {c for c in Capability if not store.supports(c)} == SINCE_1_1


@pytest.mark.parametrize("version", ["1.1", "1.10", "2.0"])
def test_what_its_contract_knew_is_declared(version: str) -> None:
    """A backend that states the version is taken at its word."""
    store = AsyncStore(stating(version))
    assert all(store.supports(c) for c in Capability)


def test_a_class_that_inherits_states_the_first_version() -> None:
    """Inheriting from a newer core promises nothing new."""
    assert AsyncBackend.CONTRACT == "1.0"  # type: ignore[attr-defined]


def test_the_bridges_know_it_too() -> None:
    """What stands behind an adapter of a newer core has no more than it declared."""
    sync: Any = SyncDictBackend()
    sync.capabilities = EVERYTHING
    assert set(SyncBackendAdapter(sync).capabilities) == set(Capability) - SINCE_1_1
    assert {c for c in Capability if not Store(sync).supports(c)} == SINCE_1_1
    with AsyncBackendSyncAdapter(as_backend(stating("1.0"))) as adapter:
        lacks = SINCE_1_1 | {Capability.SEEKABLE_READ}
        assert set(adapter.capabilities) == set(Capability) - lacks


class Mirrored:
    """Turns content round on its way, by what the first version had, and hands on all else."""

    def __init__(self, backend: object) -> None:
        self._backend: Any = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def read(self, path: str) -> BinaryIO:
        """Return the content from its end."""
        return io.BytesIO(self._backend.read_bytes(path)[::-1])

    def write(self, path: str, content: Any, **options: Any) -> WriteResult:
        """Write the content from its end."""
        data = content if isinstance(content, bytes) else content.read()
        result: WriteResult = self._backend.write(path, data[::-1], **options)
        return result

    write_atomic = write


class Current(Mirrored):
    """The same, of this version."""

    CONTRACT = "1.1"


@pytest.mark.parametrize("wrapper", [Mirrored, Current])
def test_nothing_acts_past_a_wrapper(wrapper: type[Mirrored]) -> None:
    """An optional member that it only hands on is not used where it has the one below it."""
    wrapped: Any = wrapper(MemoryBackend())
    store = Store(wrapped)
    with store.open_atomic("f") as file:
        file.write(b"abcdef")
    with store.open("f") as opened, store.read_seekable("f") as seekable:
        assert (opened.read(), seekable.read()) == (b"abcdef", b"abcdef")
    assert store.read_range("f", 1, length=2) == b"bc"
    assert b"".join(store.read("f", if_match=store.get_file_info("f").etag)) == b"abcdef"
    assert store.supports(Capability.CONDITIONAL_WRITE) == (wrapper is Current)


def test_a_wrapper_that_only_delegates_has_the_version_within() -> None:
    """What has no operation of its own changes none."""
    recorder: Any = Recorder(MemoryBackend())
    assert Store(recorder).supports(Capability.CONDITIONAL_WRITE)


class Careless(Mirrored):
    """Takes any keyword, and looks at none that came later."""

    def delete(self, path: str, *, missing_ok: bool = False, **_: object) -> None:
        """Delete whatever is there."""
        self._backend.delete(path, missing_ok=missing_ok)


def test_an_adapter_asks_nobody_for_a_condition_who_declares_none() -> None:
    """A keyword that is not looked at would be a condition that holds for every version."""
    backend: Any = Careless(MemoryBackend())
    backend.write("f", b"x")
    adapter = SyncBackendAdapter(backend)
    with pytest.raises(CapabilityNotSupported, match="conditional_write"):
        asyncio.run(adapter.delete("f", if_match="other"))
    with pytest.raises(CapabilityNotSupported, match="content_headers"):
        asyncio.run(adapter.write("g", b"x", headers=ContentHeaders(content_type="text/plain")))
    with AsyncBackendSyncAdapter(adapter) as back:
        with pytest.raises(CapabilityNotSupported, match="conditional_write"):
            back.delete("f", if_match="other")
        assert back.read_bytes("f") == b"x"
