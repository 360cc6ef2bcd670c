"""Backends and stores that the contract tests run against."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.gates import PREFIX, threads, wait_until
from tests.contract.probes import as_backend, in_new_loop
from tests.contract.reference import DictBackend

from remote_store.aio import AsyncBackend, AsyncStore
from remote_store.aio.workers import WorkerPool

PLUGINS = ("memory", "local")
BACKENDS = ("reference", *PLUGINS)


def open_backend(kind: str, folder: Path) -> AsyncBackend:
    """Return an empty backend; a local one in *folder*."""
    if kind == "reference":
        return as_backend(DictBackend())
    module = importlib.import_module(f"remote_store_{kind}")
    if kind == "memory":
        return as_backend(module.AsyncMemoryBackend())
    # Power loss is not simulated here, and syncing costs most of the time.
    return as_backend(module.AsyncLocalBackend(folder, fsync="never"))


@pytest.fixture
def make_backend(tmp_path: Path) -> Iterator[Callable[[str], AsyncBackend]]:
    """Build backends by kind, each empty; close them after the test."""
    made: list[AsyncBackend] = []
    number = itertools.count()

    def make(kind: str) -> AsyncBackend:
        made.append(open_backend(kind, tmp_path / f"root{next(number)}"))
        return made[-1]

    yield make
    for backend in made:
        if hasattr(backend, "aclose"):
            in_new_loop(backend.aclose())


@pytest.fixture(params=BACKENDS)
def backend(
    request: pytest.FixtureRequest, make_backend: Callable[[str], AsyncBackend]
) -> AsyncBackend:
    """An empty backend of each kind."""
    return make_backend(request.param)


@pytest.fixture(params=PLUGINS)
def plugin(
    request: pytest.FixtureRequest, make_backend: Callable[[str], AsyncBackend]
) -> AsyncBackend:
    """An empty backend of each plugin."""
    return make_backend(request.param)


@pytest.fixture(params=["", "base/sub"], ids=["at-root", "below-root"])
def root(request: pytest.FixtureRequest) -> str:
    """Root of a store: the backend's own, and a folder of it."""
    path: str = request.param
    return path


@pytest.fixture(
    params=["memory", *(pytest.param(k, marks=pytest.mark.long) for k in BACKENDS if k != "memory")]
)
def store(
    request: pytest.FixtureRequest, make_backend: Callable[[str], AsyncBackend], root: str
) -> AsyncStore:
    """
    A store over an empty backend, at both roots.

    What a store does by itself needs one backend; that it does so over each
    kind is seen by `make test-all`.
    """
    return AsyncStore(make_backend(request.param), root)


@pytest.fixture
def reference() -> DictBackend:
    """The dict backend alone, for rules that the store decides by itself."""
    return DictBackend()


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    """Two threads, gone after the test."""
    pool = WorkerPool(PREFIX, 2)
    yield pool
    pool.close()
    assert wait_until(lambda: not threads())
