"""Bytes that Arrow costs through `open`: what it asks for, and little more."""

from __future__ import annotations

import importlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from remote_store import AsyncBackendSyncAdapter, Store
from remote_store.aio import AsyncBackend
from remote_store_azure import AsyncAzureBackend
from remote_store_local import AsyncLocalBackend

pytestmark = pytest.mark.clients

COLUMNS, ROWS = 20, 200_000


class Metered:
    """A backend that counts what its ranges have yielded."""

    CONTRACT = "1.1"

    def __init__(self, backend: AsyncBackend) -> None:
        self.backend = backend
        self.fetched = self.requests = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    async def read_range(self, path: str, start: int, **options: Any) -> AsyncIterator[bytes]:
        self.requests += 1
        async for chunk in self.backend.read_range(path, start, **options):
            self.fetched += len(chunk)
            yield chunk

    def read(self, path: str) -> Any:
        pytest.fail("the whole file was asked for")


class Asking(io.RawIOBase):
    """A file that counts what its reader asks for."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self.file = file
        self.asked = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data: bytes = self.file.read(size)
        self.asked += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        found: int = self.file.seek(offset, whence)
        return found

    def tell(self) -> int:
        found: int = self.file.tell()
        return found


@pytest.fixture(scope="module")
def parquet() -> Any:
    """Arrow's module, which is installed for these tests alone."""
    return importlib.import_module("pyarrow.parquet")


@pytest.fixture(scope="module")
def table(parquet: Any) -> bytes:
    """A file of twenty columns, in five row groups."""
    rng = importlib.import_module("numpy").random.default_rng(1)
    columns = {f"c{i}": rng.random(ROWS) for i in range(COLUMNS)}
    packed = io.BytesIO()
    table = importlib.import_module("pyarrow").table(columns)
    parquet.write_table(table, packed, row_group_size=ROWS // 5)
    return packed.getvalue()


@pytest.mark.parametrize("kind", ["local", "azurite"])
@pytest.mark.parametrize("opened", ["open", "read_seekable"])
def test_one_column_costs_its_bytes(
    kind: str,
    opened: str,
    parquet: Any,
    table: bytes,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """At most 1.2 times what Arrow asks for, which is about a twentieth of the file."""
    backend: AsyncBackend
    if kind == "local":
        backend = AsyncLocalBackend(tmp_path)
    else:
        options = dict(request.getfixturevalue("azurite_options"))
        container = options.pop("store").removeprefix("azure://")
        backend = AsyncAzureBackend(container, **options)
    metered = Metered(backend)
    with Store(AsyncBackendSyncAdapter(cast("AsyncBackend", metered))) as store:
        store.write("t.parquet", table)
        with getattr(store, opened)("t.parquet") as file:
            asking = Asking(file)
            found = parquet.read_table(cast("Any", asking), columns=["c7"])
            asked = asking.asked
        assert found.num_rows == ROWS
        plain = parquet.read_table(io.BytesIO(table), columns=["c7"])
        assert found.equals(plain)
    assert metered.fetched <= 1.2 * asked
    assert asked < len(table) / 10
    print(f"{kind}, {opened}: {metered.fetched} of {len(table)} in {metered.requests} ranges")
