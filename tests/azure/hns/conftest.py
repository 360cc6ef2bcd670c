"""An emulated hierarchical account for each test, and a backend on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tests.azure.hns.lake import FS, Lake

from hns_emulator import HnsEmulator
from remote_store_azure import AsyncAzureBackend


@pytest.fixture
def emulator() -> HnsEmulator:
    """The account's server, not yet started; a test's own parameters replace it."""
    return HnsEmulator(debug=True)


@pytest.fixture
def lake(emulator: HnsEmulator) -> Iterator[Lake]:
    """
    The account.

    What nobody recorded is answered with an error and counted; so is what is
    outside of the service's documents. A test that provokes it on purpose
    clears the counter.
    """
    emulator.create_filesystem(FS)
    with emulator:
        lake = Lake(emulator)
        yield lake
        lake.close()
    assert dict(emulator.unverified) == {}
    assert dict(emulator.refused) == {}


@pytest_asyncio.fixture
async def backend(lake: Lake) -> AsyncIterator[AsyncAzureBackend]:
    """A backend on it; no task of it is left behind."""
    before = asyncio.all_tasks()
    backend = lake.backend()
    try:
        yield backend
        mine = {asyncio.current_task()}
        assert {task for task in asyncio.all_tasks() - before - mine if not task.done()} == set()
    finally:
        await backend.aclose()
