"""The front of the backend: what it takes, tells and refuses, and what a flat account shows."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from azure.core.credentials import AzureSasCredential
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import Azurite
from tests.azure.flat import Flat, flat, gathered, stream
from tests.operations import FLAT_OPERATIONS, Kind, Paths, settle, slots

from remote_store import (
    AlreadyExists,
    Capability,
    CapabilityNotSupported,
    FolderEntry,
    InvalidPath,
    RemotePath,
    RetryPolicy,
    Secret,
    StoreClosed,
)
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend

KEY = "c2VjcmV0" * 8


@pytest_asyncio.fixture
async def box(azurite: Azurite, service: BlobServiceClient, container: str) -> AsyncIterator[Flat]:
    """A backend on an empty container."""
    async with flat(azurite, service, container) as found:
        yield found


def made(**options: Any) -> AsyncAzureBackend:
    return AsyncAzureBackend("box", **{"account_name": "acc", "account_key": KEY, **options})


# What it is ------------------------------------------------------------------


def test_capabilities() -> None:
    """They are those of both kinds of accounts, and with hns=True those of real folders too."""
    real = {Capability.ATOMIC_MOVE, Capability.CREATE_FOLDER}
    missing = {Capability.SEEKABLE_READ} | real
    for backend in (made(), made(hns=False)):
        assert set(backend.capabilities) == set(Capability) - missing
        assert backend.capabilities <= AsyncAzureBackend.CAPABILITIES
    assert set(AsyncAzureBackend.CAPABILITIES) == set(Capability) - missing | real
    assert made().name == "async-azure"
    assert AsyncAzureBackend.close_is_terminal


@pytest.mark.parametrize("hns", [0, 1, "true", "no"])
def test_hns_is_a_bool(hns: Any) -> None:
    """What is neither True nor False nor None is refused, not guessed at."""
    with pytest.raises(ValueError, match="hns"):
        made(hns=hns)


def test_paths_of_the_service() -> None:
    """Keys and native paths become each other; what is elsewhere stays as it is."""
    backend = made()
    for key, native in (("a/b", "box/a/b"), ("", "box"), (".", "box"), ("./a//b", "box/a/b")):
        assert backend.native_path(key) == native
    assert [backend.to_key(p) for p in ("box/a/b", "box", "boxes/a", "a")] == [
        "a/b",
        "",
        "boxes/a",
        "a",
    ]


def test_resolve() -> None:
    """The plan says where a key is, without I/O and without a secret."""
    url = f"https://user:{KEY}@acc.blob.core.windows.net/?sv=1&sig={KEY}"
    plan = AsyncAzureBackend("box", account_url=url).resolve("a/b")
    assert (plan.kind, plan.backend, plan.key) == ("async-azure", "async-azure", "a/b")
    assert plan.native_path == "box/a/b"
    assert dict(plan.details) == {
        "container": "box",
        "account_url": "https://acc.blob.core.windows.net",
    }
    assert made().resolve("").details["account_url"] is None


def test_repr_masks() -> None:
    """It shows the configuration, and of secrets only that they are there."""
    shown = repr(made(max_concurrency=3, client_options={"password": KEY}))
    assert "account_key='***'" in shown
    assert "max_concurrency=3" in shown
    shown += repr(made(account_key=None, sas_token=Secret(f"sig={KEY}")))
    shown += repr(made(credential=AzureSasCredential(f"sig={KEY}")))
    shown += repr(AsyncAzureBackend("box", connection_string=f"AccountName=a;AccountKey={KEY}"))
    url = f"https://user:{KEY}@acc.blob.core.windows.net/?sv=1&sig={KEY}"
    shown += repr(AsyncAzureBackend("box", account_url=url))
    assert KEY not in shown
    assert "secret" not in shown


def test_pickle() -> None:
    """It is rebuilt from its configuration; what belongs to the caller refuses."""
    backend = made(
        account_key=Secret(KEY),
        retry=RetryPolicy(max_attempts=7),
        client_options={"max_block_size": 17},
        max_concurrency=3,
        reject_write_under_file_ancestor=True,
        hns=False,
    )
    again = pickle.loads(pickle.dumps(backend))
    assert again._options == backend._options
    assert again.capabilities == backend.capabilities
    with pytest.raises(TypeError, match="credential"):
        pickle.dumps(made(account_key=None, credential=AzureSasCredential("sig=x")))
    # It is not used beside a connection string.
    text = f"AccountName=acc;AccountKey={KEY}"
    beside = AsyncAzureBackend("box", connection_string=text, credential=AzureSasCredential("x"))
    assert pickle.loads(pickle.dumps(beside))._options["connection_string"] == text


def test_a_url() -> None:
    """A URL names container, root and options; keywords win."""
    url = "azure://box/root/sub?account_name=acc&account_key=a2V5&max_concurrency=4"
    backend, root = AsyncAzureBackend.from_url(url, hns=False, max_concurrency=5)
    assert root == "root/sub"
    assert backend.native_path("a") == "box/a"
    assert (backend._options["max_concurrency"], backend._options["hns"]) == (5, False)


def test_loading_imports_no_sdk() -> None:
    """Neither the class nor an instance brings the SDK or aiohttp along, or what aiohttp needs."""
    code = (
        "import sys; from remote_store_azure import AsyncAzureBackend;"
        "b = AsyncAzureBackend('box', account_name='a', account_key='a2V5', hns=False);"
        "b.resolve('a'); repr(b); b.capabilities\n"
        "try: b.unwrap(int)\n"
        "except NotImplementedError: pass\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('azure', 'aiohttp', 'multidict')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout.replace("'", '"')) == []


@pytest.mark.asyncio
async def test_unwrap(box: Flat) -> None:
    """It hands out the SDK's file system client, and of nothing else than just that type."""
    from azure.storage.blob.aio import ContainerClient
    from azure.storage.filedatalake import FileSystemClient as Blocking
    from azure.storage.filedatalake.aio import FileSystemClient

    class Derived(FileSystemClient):
        """A subclass is another type."""

    client = box.backend.unwrap(FileSystemClient)
    assert type(client) is FileSystemClient
    assert client is box.backend.unwrap(FileSystemClient)
    assert (await client.get_file_system_properties()).name == box.container.container_name
    for other in (ContainerClient, Blocking, Derived, object, int):
        with pytest.raises(CapabilityNotSupported, match="does not expose") as caught:
            box.backend.unwrap(other)
        assert caught.value.capability == "unwrap"


# What it refuses -------------------------------------------------------------


@pytest.mark.asyncio
async def test_bad_keys(box: Flat) -> None:
    """A key that is none, and the root as a file, are refused before anything is sent."""
    for name, slot in slots(FLAT_OPERATIONS):
        operation = FLAT_OPERATIONS[name]
        roots = ("", ".") if operation.changes or operation.kind is Kind.READ else ()
        for key in ("/a", "a/../b", "..", "a\0b", "a\\b", "\ud800", *roots):
            with pytest.raises(InvalidPath, match="path") as caught:
                await settle(operation(box.backend, Paths().but(slot, key)))
            assert caught.value.backend == "async-azure"
    assert box.sent() == []


@pytest.mark.asyncio
async def test_names_that_are_no_target(box: Flat) -> None:
    """Reserved names, and what no listing could show, are refused as targets before a request."""
    for name, slot in slots(FLAT_OPERATIONS, "free"):
        for key in (".~tmp.a", "d/.~tmp.a", ".~tmp.d/a", "a\x01b", "a\ufffe"):
            with pytest.raises(InvalidPath):
                await settle(FLAT_OPERATIONS[name](box.backend, Paths().but(slot, key)))
    assert box.sent() == []


@pytest.mark.asyncio
@pytest.mark.parametrize("content", ["text", 5, None, bytearray(b"x"), memoryview(b"x"), [b"x"]])
async def test_wrong_content(box: Flat, content: Any) -> None:
    """What is neither bytes nor an async iterator is a TypeError, and nothing is sent."""
    for write in (box.backend.write, box.backend.write_atomic):
        with pytest.raises(TypeError, match="bytes"):
            await write("a", content)
    assert box.sent() == []


@pytest.mark.asyncio
async def test_an_async_iterable(box: Flat) -> None:
    """Whatever can be iterated asynchronously is content."""

    class Source:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return stream(b"a", b"b")

    await box.backend.write("a", Source())  # type: ignore[arg-type]
    assert box.get("a") == b"ab"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("pattern", "error"),
    [("", InvalidPath), ("a/../b", InvalidPath), ("\ud800*", InvalidPath), ("**x", ValueError)],
)
async def test_bad_patterns(box: Flat, pattern: str, error: type[Exception]) -> None:
    """A pattern that is none is refused before anything is sent."""
    with pytest.raises(error):
        await gathered(box.backend.glob(pattern))
    assert box.sent() == []


# What a container shows ------------------------------------------------------


@pytest.mark.asyncio
async def test_names_that_are_no_path(box: Flat, caplog: pytest.LogCaptureFixture) -> None:
    """Blobs that no path leads to are skipped, with one warning for each listing that meets any."""
    for name in ("a", "x//y", "trail/", "d/b", ".~tmp.1", "d/.~tmp.2"):
        box.put(name)
    listings: dict[str, tuple[Any, list[str]]] = {
        "files": (lambda b: b.list_files("", recursive=True), ["a", "d/b"]),
        "depth": (lambda b: b.list_files("", recursive=True, max_depth=5), ["a", "d/b"]),
        "glob": (lambda b: b.glob("**"), ["a", "d/b"]),
    }
    for name, (listing, expected) in listings.items():
        caplog.clear()
        with caplog.at_level(logging.WARNING, "remote_store_azure"):
            found = await gathered(listing(box.backend))
        assert sorted(info.path.as_posix() for info in found) == expected, name
        assert len(caplog.records) == 1, name
        assert caplog.records[0].levelname == "WARNING"
    caplog.clear()
    info = await box.backend.get_folder_info("")
    assert info.file_count == 2
    assert len(caplog.records) == 1
    caplog.clear()
    names = {entry.name for entry in await gathered(box.backend.iter_children(""))}
    assert {"a", "d"} <= names <= {"a", "d", "x", "trail"}
    assert not [name for name in names if name.startswith(".~tmp")]


@pytest.mark.asyncio
async def test_children(box: Flat) -> None:
    """Files are FileInfo, folders FolderEntry, each with its path."""
    for name in ("d/a", "d/e/x", "d/e/y", "d.x", "e"):
        box.put(name)
    found = await gathered(box.backend.iter_children("d"))
    assert [(type(c).__name__, c.path.as_posix(), c.name) for c in found] == [
        ("FileInfo", "d/a", "a"),
        ("FolderEntry", "d/e", "e"),
    ]
    assert await gathered(box.backend.list_folders("")) == [FolderEntry(RemotePath("d"), "d")]


@pytest.mark.asyncio
async def test_a_store_below_a_root(box: Flat) -> None:
    """A store over a folder of the container works as over any backend."""
    store = AsyncStore(box.backend, "some/root")
    await store.write("a/b", b"content", metadata={"key": "value"})
    assert box.names() == ["some/root/a/b"]
    assert await store.read_bytes("a/b") == b"content"
    assert [i.path.as_posix() async for i in store.glob("*/b")] == ["a/b"]
    assert (await store.head("a/b")).metadata == {"key": "value"}
    with pytest.raises(AlreadyExists):
        await store.write("a/b", b"")
    await store.move("a/b", "c")
    assert [i.path.as_posix() async for i in store.list_files("", recursive=True)] == ["c"]


# Lifecycle -------------------------------------------------------------------


@pytest.mark.asyncio
async def test_closed(azurite: Azurite, service: BlobServiceClient, container: str) -> None:
    """After a close everything that needs the service is StoreClosed, pure functions work."""
    async with flat(azurite, service, container) as box:
        backend = box.backend
        await backend.write("a", b"x")
    await backend.aclose()
    for call in (
        lambda: backend.exists(""),
        lambda: backend.exists("a"),
        lambda: backend.is_file("a"),
        lambda: backend.is_folder(""),
        lambda: backend.read_bytes("a"),
        lambda: gathered(backend.read("a")),
        lambda: backend.write("b", b"x"),
        lambda: backend.delete("a"),
        lambda: backend.delete_folder("d"),
        lambda: backend.copy("a", "b"),
        lambda: backend.move("a", "b"),
        lambda: gathered(backend.list_files("")),
        lambda: gathered(backend.list_folders("")),
        lambda: gathered(backend.iter_children("")),
        lambda: gathered(backend.glob("*")),
        lambda: backend.get_file_info("a"),
        lambda: backend.get_folder_info(""),
        lambda: backend.check_health(),
    ):
        with pytest.raises(StoreClosed, match="is closed"):
            await call()
    assert backend.native_path("a") == f"{container}/a"


@pytest.mark.asyncio
async def test_early_exit_frees_everything(box: Flat) -> None:
    """A read or listing that is left early is no running call any more."""
    for n in range(3):
        box.put(f"d{n}/a", bytes(1 << 20))
    calls = box.backend._loops.running().calls
    for items in (
        box.backend.read("d0/a"),
        box.backend.list_files("", recursive=True),
        box.backend.list_files("", recursive=True, max_depth=1),
        box.backend.list_folders(""),
        box.backend.iter_children(""),
        box.backend.glob("**"),
    ):
        await anext(items)
        assert calls.count == 1
        await items.aclose()
        assert calls.count == 0
    task = asyncio.create_task(gathered(box.backend.list_files("", recursive=True)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.count == 0


def test_several_loops(azurite: Azurite, container: str) -> None:
    """One backend serves loop after loop, and finds out what account it is once for all."""
    backend = AsyncAzureBackend(
        container,
        connection_string=azurite.connection_string,
        client_options={"api_version": "2026-06-06"},
    )

    async def use(n: int) -> list[str]:
        await backend.write(f"f{n}", b"x")
        return [info.name async for info in backend.list_files("")]

    assert asyncio.run(use(0)) == ["f0"]
    operations = backend.operations
    assert operations is not None
    assert asyncio.run(use(1)) == ["f0", "f1"]
    assert backend.operations is operations
    asyncio.run(backend.aclose())
