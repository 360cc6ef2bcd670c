"""Stores with one file, through each way to a backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.contract.probes import Listener
from tests.contract.ranges.parts import ASYNC, DATA, SYNC

from remote_store import (
    Store,
    register_plugin,
    unregister_plugin,
)
from remote_store.aio import AsyncStore


@pytest_asyncio.fixture(params=ASYNC)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncStore]:
    """A store below a root, with one file."""
    async with AsyncStore(ASYNC[request.param](tmp_path), "root") as store:
        await store.write("a/b", DATA)
        yield store


@pytest.fixture(params=SYNC)
def sync_store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The same, sync."""
    with Store(SYNC[request.param](tmp_path), "root") as store:
        store.write("a/b", DATA)
        yield store


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Hears what stores do."""
    listener = Listener()
    register_plugin(listener)
    yield listener
    unregister_plugin(listener)
