"""What the tests of the memory backend share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from remote_store import RemoteStoreError
from remote_store_memory import AsyncMemoryBackend


@pytest.fixture
def backend() -> AsyncMemoryBackend:
    """An empty backend."""
    return AsyncMemoryBackend()


@pytest.fixture
def refusal() -> Callable[[Awaitable[object]], Awaitable[RemoteStoreError]]:
    """Returns the error of the store's own tree that an operation ends with."""

    async def error_of(operation: Awaitable[object]) -> RemoteStoreError:
        with pytest.raises(RemoteStoreError) as caught:
            await operation
        assert caught.value.backend == "async-memory"
        return caught.value

    return error_of


@pytest.fixture
def contents() -> Callable[[AsyncMemoryBackend], Awaitable[dict[str, bytes]]]:
    """Returns all files of a backend, by key."""

    async def read_all(backend: AsyncMemoryBackend) -> dict[str, bytes]:
        keys = [str(info.path) async for info in backend.list_files("", recursive=True)]
        return {key: await backend.read_bytes(key) for key in keys}

    return read_all


@pytest.fixture
def folders() -> Callable[[AsyncMemoryBackend], Awaitable[set[str]]]:
    """Returns the keys of all folders of a backend."""

    async def walk(backend: AsyncMemoryBackend) -> set[str]:
        found: set[str] = set()
        pending = [""]
        while pending:
            below = [str(e.path) async for e in backend.list_folders(pending.pop())]
            found.update(below)
            pending += below
        return found

    return walk


@pytest.fixture
def stream() -> Callable[..., AsyncIterator[bytes]]:
    """Returns an async generator over chunks, which fails at the end when told to."""

    async def generate(*chunks: bytes, error: BaseException | None = None) -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
        if error is not None:
            raise error

    return generate
