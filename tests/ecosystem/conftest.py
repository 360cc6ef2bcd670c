"""Stores as other people's programs get them: a URL and ``storage_options``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import API_VERSION

from remote_store_fsspec import RemoteStoreFileSystem


@pytest.fixture
def local_options(tmp_path: Path) -> dict[str, Any]:
    """A folder."""
    return {"store": f"local://{tmp_path}/store"}


@pytest.fixture
def azurite_options(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A fresh container."""
    name = f"test-{uuid.uuid4().hex}"
    connection = request.getfixturevalue("azurite").connection_string
    with BlobServiceClient.from_connection_string(connection, api_version=API_VERSION) as service:
        client = service.create_container(name)
        yield {
            "store": f"azure://{name}",
            "connection_string": connection,
            "client_options": {"api_version": API_VERSION},
        }
        client.delete_container()


@pytest.fixture(params=["local", "azurite"])
def options(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The ``storage_options`` of each store in turn."""
    yield request.getfixturevalue(f"{request.param}_options")
    for fs in list(RemoteStoreFileSystem._cache.values()):
        if not fs.asynchronous:
            fs.close()
    RemoteStoreFileSystem.clear_instance_cache()


@pytest.fixture
def fs(options: dict[str, Any]) -> RemoteStoreFileSystem:
    """The filesystem that programs make of them."""
    return RemoteStoreFileSystem(**options)
