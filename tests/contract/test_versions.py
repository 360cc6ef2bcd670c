"""A backend of an older contract: nothing that came later is asked of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.probes import Recorder, as_backend
from tests.contract.reference import DictBackend
from tests.operations import SINCE_1_1
from tests.sync.reference import DictBackend as SyncDictBackend

from remote_store import AsyncBackendSyncAdapter, Capability, CapabilitySet, Store
from remote_store.aio import AsyncBackend, AsyncStore, SyncBackendAdapter

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
