"""The plain SDK on Azurite, and a fresh container for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import API_VERSION, Azurite


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
