"""A store for one folder of a filled backend, and somebody who listens to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.contract.probes import Listener
from tests.sync.reference import DictBackend, as_backend

from remote_store import (
    Store,
    register_plugin,
    unregister_plugin,
)

FILES = {"root/a/x.csv": b"12345", "root/a/b/y.csv": b"1", "root/z.txt": b"", "other": b"?"}


@pytest.fixture
def backend() -> DictBackend:
    """A filled backend."""
    return DictBackend(FILES)


@pytest.fixture
def store(backend: DictBackend) -> Store:
    """A store for one folder of it."""
    return Store(as_backend(backend), "root")


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A registered listener."""
    plugin = Listener()
    register_plugin(plugin)
    yield plugin
    unregister_plugin(plugin)
