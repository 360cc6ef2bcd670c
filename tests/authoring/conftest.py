"""An empty backend of every plugin, and the way past it into its storage."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from attrs import frozen

from hns_emulator import HnsEmulator
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

ACME = Path(__file__).resolve().parents[2] / "examples" / "acme-backend" / "src"


@frozen
class Offer:
    """
    One backend.

    Args:
        backend: Async or sync, empty.
        plant: Puts a file into its storage under any name, past the backend;
            None where nothing but the backend itself can.
        odd: Names below ``box`` that no path of a store leads to, or that are
            reserved, as others can make them there.
        shared_names: A file and a folder may have the same name.
    """

    backend: Any
    plant: Callable[[str], object] | None = None
    odd: Sequence[str] = ("box/a\\b", "box/c\\d", "box/.~tmp.1")
    shared_names: bool = False


def memory(request: pytest.FixtureRequest) -> Offer:
    return Offer(AsyncMemoryBackend())


def memory_sync(request: pytest.FixtureRequest) -> Offer:
    return Offer(MemoryBackend())


def _into(root: Path) -> Callable[[str], object]:
    def plant(name: str) -> None:
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(b"")

    return plant


def local(request: pytest.FixtureRequest) -> Offer:
    root = request.getfixturevalue("tmp_path")
    return Offer(AsyncLocalBackend(root, fsync="never"), _into(root))


def local_sync(request: pytest.FixtureRequest) -> Offer:
    root = request.getfixturevalue("tmp_path")
    return Offer(LocalBackend(root, fsync="never"), _into(root))


def acme(request: pytest.FixtureRequest) -> Offer:
    request.getfixturevalue("monkeypatch").syspath_prepend(ACME)
    from acme_backend import AcmeBackend

    database = request.getfixturevalue("tmp_path") / "files.db"

    def plant(name: str) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("INSERT INTO files VALUES (?, x'', 0, 0, '', '{}')", [name])

    # It makes no temporary files, whose names it would have to hide.
    return Offer(AcmeBackend(str(database)), plant, ("box/a\\b", "box/c\\d"))


def azure_flat(request: pytest.FixtureRequest) -> Offer:
    from azure.storage.blob import ContainerClient
    from tests.azure.azurite import API_VERSION

    from remote_store_azure import AsyncAzureBackend

    server = request.getfixturevalue("azurite")
    name = f"rules-{uuid.uuid4().hex}"
    versions: Any = {"api_version": API_VERSION}
    client = ContainerClient.from_connection_string(server.connection_string, name, **versions)
    client.create_container()
    request.addfinalizer(client.close)
    backend = AsyncAzureBackend(
        name, connection_string=server.connection_string, hns=False, client_options=versions
    )
    odd = ("box//a", "box//b", "box/.~tmp.1")
    return Offer(backend, lambda key: client.upload_blob(key, b""), odd, shared_names=True)


def azure_hns(request: pytest.FixtureRequest) -> Offer:
    from tests.azure.hns.lake import FS, Lake

    emulator = HnsEmulator(debug=True)
    emulator.create_filesystem(FS)
    emulator.start()
    request.addfinalizer(emulator.stop)
    lake = Lake(emulator)
    request.addfinalizer(lake.close)
    return Offer(lake.backend(), lake.put)


BACKENDS = [memory, memory_sync, local, local_sync, acme]


def s3(request: pytest.FixtureRequest) -> Offer:
    from remote_store_s3 import AsyncS3Backend

    server = request.getfixturevalue("moto")
    name = f"rules-{uuid.uuid4().hex}"
    server.make_bucket(name)
    return Offer(AsyncS3Backend(name, **server.options), shared_names=True)


#: Those that need a server, with its fixture.
SERVED = {azure_flat: "azurite", azure_hns: "emulator", s3: "moto"}


@pytest_asyncio.fixture(
    params=[
        *BACKENDS,
        *(pytest.param(make, marks=pytest.mark.server(name)) for make, name in SERVED.items()),
    ],
    ids=[make.__name__.replace("_", "-") for make in (*BACKENDS, *SERVED)],
)
async def offer(request: pytest.FixtureRequest) -> AsyncIterator[Offer]:
    """A backend of every plugin in turn."""
    offer: Offer = request.param(request)
    yield offer
    if hasattr(offer.backend, "aclose"):
        await offer.backend.aclose()
    else:
        offer.backend.close()


@pytest.fixture
def backend(offer: Offer) -> Any:
    """The backend alone."""
    return offer.backend
