"""Azurite for the whole run, and a fresh container for each test."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from typing import Final

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure import azurite as server
from tests.azure.azurite import API_VERSION, Azurite

#: Seconds after which a server is replaced: ten minutes after its start Azurite
#: collects garbage, and was seen to stop answering then.
OLD: Final = 300


class Servers:
    """The server of this test process, replaced between modules when it is old."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._started = 0.0
        self._current: Azurite | None = None

    def current(self) -> Azurite:
        if self._current is None or time.monotonic() - self._started > OLD:
            self._stack.close()
            self._current = self._stack.enter_context(server.running())
            self._started = time.monotonic()
        return self._current

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Where `azurite` comes from."""
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def azurite(servers: Servers) -> Azurite:
    """A server of this test process's own."""
    return servers.current()


@pytest.fixture(scope="module")
def service(azurite: Azurite) -> Iterator[BlobServiceClient]:
    """The plain SDK's client, to look at the account past the backend."""
    with BlobServiceClient.from_connection_string(
        azurite.connection_string, api_version=API_VERSION
    ) as client:
        yield client


@pytest.fixture
def container(service: BlobServiceClient) -> Iterator[str]:
    """Name of a fresh container."""
    name = f"test-{uuid.uuid4().hex}"
    client = service.create_container(name)
    yield name
    client.delete_container()
