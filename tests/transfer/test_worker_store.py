"""Stores go to other machines as their configuration, and their secrets stay at home."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import pytest

from remote_store import Secret, Store
from remote_store.aio import AsyncStore
from remote_store_azure import AsyncAzureBackend
from remote_store_local import AsyncLocalBackend, LocalBackend
from remote_store_memory import AsyncMemoryBackend
from remote_store_s3 import AsyncS3Backend
from remote_store_transfer import WorkerStore
from remote_store_transfer._cluster.worker_store import carried, opened
from remote_store_transfer._sync.blocking import as_async_store

KEY = "c2VjcmV0"
AZURE = "https://acme.blob.core.windows.net"


@pytest.mark.parametrize(
    "backend",
    [
        AsyncAzureBackend("data", account_url=AZURE, account_key=KEY),
        AsyncAzureBackend("data", account_url=AZURE, sas_token=Secret("sig=" + KEY)),
        AsyncS3Backend("data", access_key_id="a", secret_access_key=KEY),
        AsyncAzureBackend("data", account_url=f"{AZURE}?sv=2026-01-01&sig={KEY}"),
    ],
    ids=["plain", "secret", "s3", "url"],
)
def test_a_secret_does_not_travel(backend: AsyncAzureBackend | AsyncS3Backend) -> None:
    """Whether it is a `Secret`, a text that is secret by its option's name, or in a URL."""
    with pytest.raises(ValueError, match=r"of the source would go to .* by value; .*WorkerStore"):
        carried(AsyncStore(backend), "source")


def test_a_store_without_a_secret_travels(tmp_path: Path) -> None:
    """Async and sync, also one that does not own its backend; the copy is closed at the end."""
    stores = [
        AsyncStore(AsyncLocalBackend(tmp_path), "in", owns_backend=False),
        as_async_store(Store(LocalBackend(tmp_path), "in", owns_backend=False)),
    ]

    async def use(data: bytes) -> AsyncStore:
        async with opened(data) as store:
            await store.write("a", b"1", overwrite=True)
            return store

    for store in stores:
        (tmp_path / "in/a").unlink(missing_ok=True)
        asyncio.run(use(carried(store, "target")))
        assert (tmp_path / "in/a").read_bytes() == b"1"
    azure = AsyncStore(AsyncAzureBackend("data", account_url=AZURE), owns_backend=False)
    assert pickle.loads(carried(azure, "source"))._owns


def test_a_store_that_cannot_travel_says_so() -> None:
    """As it cannot be pickled."""
    with pytest.raises(ValueError, match=r"the target cannot go to the workers .*WorkerStore"):
        carried(AsyncStore(AsyncMemoryBackend()), "target")


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("azure://data", {"account_key": KEY}),
        ("azure://data", {"account_key": "${KEY:-" + KEY + "}"}),
        ("azure://data", {"account_key": Secret(KEY)}),
        ("azure://data", {"anything": Secret(KEY)}),
        ("azure://data", {"headers": [{"api-token": KEY}]}),
        ("azure://data", {"account_key": KEY.encode()}),
        ("azure://data", {"places": {f"https://me:{KEY}@host"}}),
        (f"acme://me:{KEY}@host/data", {}),
    ],
)
def test_a_worker_store_takes_no_secret(target: str, options: dict[str, object]) -> None:
    """Nor shows it."""
    with pytest.raises(ValueError, match="name the variable of the workers") as caught:
        WorkerStore(target, options)
    assert KEY not in str(caught.value)


def test_what_a_worker_store_names_is_looked_up_where_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a URL, in options, and in a file there; what is missing is named."""
    WorkerStore("azure://data", {"account_key": "${KEY}", "sas_token": "${secret:vault/sas}"})
    WorkerStore("azure://data?account_url=${URL}", {"account_url": AZURE + "?sig=${SAS}"})
    monkeypatch.setenv("THERE", tmp_path.as_posix())
    monkeypatch.setenv("SYNC", "never")
    config = tmp_path / "stores.toml"
    config.write_text(
        '[backends.b]\ntype = "local"\noptions = { root = "${THERE}" }\n'
        '[stores.in]\nbackend = "b"\n[stores.other]\nbackend = "${UNSET}"\n'
    )

    async def found(store: WorkerStore) -> str:
        async with store.opened() as there:
            return there.native_path("x")

    url = WorkerStore("local://${THERE}", {"fsync": "${SYNC}"})
    for store in (url, WorkerStore("in", config=str(config))):
        assert asyncio.run(found(pickle.loads(pickle.dumps(store)))) == str(tmp_path / "x")
    with pytest.raises(KeyError, match="NOWHERE"):
        asyncio.run(found(WorkerStore("local://${NOWHERE}")))
    with pytest.raises(ValueError, match="belong into its config"):
        WorkerStore("in", {"fsync": "never"}, config=str(config))
