"""A sync backend, and an async one made of it."""

from __future__ import annotations

import threading

import pytest
from tests.sync.reference import DictBackend, as_backend
from tests.sync.to_async import probes

from remote_store.aio import SyncBackendAdapter


@pytest.fixture(autouse=True)
def _older_threads() -> None:
    """What runs already is no other test's to wait for."""
    probes.older = set(threading.enumerate())


@pytest.fixture
def backend() -> DictBackend:
    """A filled backend."""
    return DictBackend({"a/x": b"12345", "a/y": b"", "z": b"1"})


@pytest.fixture
def adapter(backend: DictBackend) -> SyncBackendAdapter:
    """An adapter around it."""
    return SyncBackendAdapter(as_backend(backend))
