"""What a backend keeps when it is called without a store, kept by the sync backend as well."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.contract.test_backend_direct import *  # noqa: F403 - the same tests

from remote_store.aio import AsyncBackend, SyncBackendAdapter
from remote_store_local import LocalBackend

pytestmark = pytest.mark.asyncio

del test_plugin_declares_what_it_has  # noqa: F821 - the adapter has no declarations of its own


@pytest.fixture
def backend(root: Path) -> AsyncBackend:
    """An empty sync backend behind the adapter."""
    return SyncBackendAdapter(LocalBackend(root, fsync="never"))


@pytest.fixture
def plugin(backend: AsyncBackend) -> AsyncBackend:
    """The same."""
    return backend
