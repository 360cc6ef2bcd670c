"""An async backend, made a sync one."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from remote_store import (
    AsyncBackendSyncAdapter,
)
from remote_store_memory import AsyncMemoryBackend


@pytest.fixture
def adapter() -> Iterator[AsyncBackendSyncAdapter]:
    """An adapter around memory with a few files, closed after the test."""
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        adapter.write("a/x", b"12345", metadata={"k": "v"})
        adapter.write("a/y", b"")
        adapter.write("z", b"1")
        yield adapter


@pytest.fixture
def heed_interrupts() -> Iterator[None]:
    """A test run in the background has Ctrl-C switched off, which children inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
