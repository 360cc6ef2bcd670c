"""A source that is rewritten at random moments arrives as one version, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from tests.azure.azurite import API_VERSION
from tests.transfer.conftest import Watched, contents

from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_local import AsyncLocalBackend
from remote_store_memory import AsyncMemoryBackend
from remote_store_s3 import AsyncS3Backend
from remote_store_transfer.aio import TransferReport, sync_tree

SMALL, LARGE = 50_000, 3 << 20

#: How a source is rewritten, and where its copies go.
WAYS = [(how, to) for how in ("in place", "by rename") for to in ("local", "system")]
SERVICES = [(how, to) for how in ("in place", "by rename") for to in ("azurite", "moto")]
MEMORY = [("memory", "local"), ("memory", "azurite")]


@contextlib.contextmanager
def _thread(path: Path, rewrite: Callable[[bytes], object], size: int) -> Iterator[None]:
    """Rewrite a file now and then: mostly often, sometimes not."""
    done, rng = threading.Event(), random.Random(size)

    def work() -> None:
        version = 0
        while not done.wait(rng.random() ** 3 * 0.8):
            version = (version + 1) % 256
            rewrite(bytes([version]) * size)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


@contextlib.asynccontextmanager
async def _task(store: AsyncStore, size: int) -> AsyncGenerator[None, None]:
    rng = random.Random(size)

    async def work() -> None:
        version = 0
        while True:
            await asyncio.sleep(rng.random() ** 3 * 0.1)
            version = (version + 1) % 256
            await store.write("f", bytes([version]) * size, overwrite=True)

    writer = asyncio.create_task(work())
    try:
        yield
    finally:
        writer.cancel()
        await asyncio.wait([writer])


@contextlib.asynccontextmanager
async def _rewritten(how: str, folder: Path, size: int) -> AsyncIterator[AsyncStore]:
    """Yield a store whose file is rewritten."""
    if how == "memory":
        store = AsyncStore(AsyncMemoryBackend())
        await store.write("f", bytes(size))
        async with _task(store, size):
            yield store
        return
    store = AsyncStore(AsyncLocalBackend(folder / "a"))
    await store.write("f", bytes(size))
    path, draft = folder / "a/f", folder / "draft"

    def in_place(body: bytes) -> None:
        step = -(-size // 4)
        with path.open("r+b") as file:
            for start in range(0, size, step):
                file.write(body[start : start + step])
                file.flush()

    def by_rename(body: bytes) -> None:
        draft.write_bytes(body)
        os.replace(draft, path)

    with _thread(path, in_place if how == "in place" else by_rename, size):
        yield store


@contextlib.asynccontextmanager
async def _target(
    to: str, folder: Path, request: pytest.FixtureRequest
) -> AsyncGenerator[AsyncStore, None]:
    name = f"rewritten-{uuid.uuid4().hex}"
    if to == "azurite":
        connection = request.getfixturevalue("azurite").connection_string
        with BlobServiceClient.from_connection_string(connection, api_version=API_VERSION) as box:
            box.create_container(name)
        options = {"api_version": API_VERSION}
        async with AsyncStore(
            AsyncAzureBackend(name, connection_string=connection, hns=False, client_options=options)
        ) as store:
            yield store
    elif to == "moto":
        server = request.getfixturevalue("moto")
        server.make_bucket(name)
        async with AsyncStore(AsyncS3Backend(name, **server.options)) as store:
            yield store
    else:
        backend = AsyncLocalBackend(folder / "b")
        # What is wrapped is read and written, and not copied by the system.
        yield AsyncStore(Watched(backend) if to == "local" else backend)


@pytest.mark.slow
@pytest.mark.timeout(580)
@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("how", "to", "copies"),
    [
        *((*way, 20) for way in WAYS[::3]),
        *(pytest.param(*way, 200, marks=pytest.mark.long) for way in WAYS + SERVICES + MEMORY),
    ],
)
@pytest.mark.asyncio
async def test_what_is_rewritten_never_arrives_mixed(
    tmp_path: Path, how: str, to: str, copies: int, size: int, request: pytest.FixtureRequest
) -> None:
    """As a new file or a replaced one; and once it rests, the next run makes both sides equal."""
    arrived = failed = retried = 0
    async with _target(to, tmp_path, request) as target:
        async with _rewritten(how, tmp_path, size) as source:
            for number in range(copies):
                if to == "system" or number % 2:  # which copies new files alone
                    await target.delete("f", missing_ok=True)
                report = await sync_tree(source, target, retries=1)
                assert all(f.error == "PreconditionFailed" for f in report.failures), report
                if await target.exists("f"):
                    body = await target.read_bytes("f")
                    assert (len(set(body)), len(body)) == (1, size)
                arrived += report.copied + report.replaced
                failed += len(report.failures)
                retried += report.retried
        print(f"{how} -> {to}, {size} bytes: {arrived} arrived, {failed} failed, {retried} retried")
        assert arrived
        last: TransferReport = await sync_tree(source, target)
        assert last.ok, last
        assert await contents(source) == await contents(target)
