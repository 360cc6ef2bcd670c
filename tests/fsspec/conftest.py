"""Filesystems over a store in memory, one of local files, and a container of Azurite."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pytest

from remote_store.aio import AsyncStore
from remote_store_fsspec import RemoteStoreFileSystem
from remote_store_memory import AsyncMemoryBackend

if TYPE_CHECKING:
    from tests.azure.azurite import Azurite


@pytest.fixture
def memory() -> RemoteStoreFileSystem:
    """A filesystem over memory."""
    return RemoteStoreFileSystem(store=AsyncStore(AsyncMemoryBackend()))


@pytest.fixture
def local(tmp_path: Path) -> Iterator[RemoteStoreFileSystem]:
    """A filesystem over the folder ``root`` of the test's own one."""
    root = tmp_path / "root"
    root.mkdir()
    fs = fsspec.filesystem("remote-store", store=f"local://{root}", skip_instance_cache=True)
    yield fs
    fs.close()


@pytest.fixture
def azurite_options(azurite: Azurite) -> Iterator[dict[str, Any]]:
    """What a filesystem over a fresh container takes."""
    from azure.storage.blob import BlobServiceClient
    from tests.azure.azurite import API_VERSION

    name = f"test-{uuid.uuid4().hex}"
    connection = azurite.connection_string
    with BlobServiceClient.from_connection_string(connection, api_version=API_VERSION) as service:
        client = service.create_container(name)
        yield {
            "store": f"azure://{name}",
            "connection_string": connection,
            "client_options": {"api_version": API_VERSION},
        }
        client.delete_container()


@pytest.fixture
def flat(azurite_options: dict[str, Any]) -> Iterator[RemoteStoreFileSystem]:
    """A filesystem over a fresh container."""
    fs = RemoteStoreFileSystem(**azurite_options, skip_instance_cache=True)
    yield fs
    fs.close()


@pytest.fixture(params=["memory", "local"])
def fs(request: pytest.FixtureRequest) -> RemoteStoreFileSystem:
    """A filesystem that needs no server."""
    found: RemoteStoreFileSystem = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what was logged as a warning so far."""
    return lambda: [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
