"""What stands in the way of a file on a hierarchical account."""

from __future__ import annotations

import pytest
from tests.azure.hns.lake import Lake
from tests.azure.hns.test_hns_moving import METHODS, call
from tests.azure.hns.test_hns_writing import WAYS, write

from remote_store import InvalidPath
from remote_store_azure import AsyncAzureBackend

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_a_folder_is_not_overwritten(
    lake: Lake, backend: AsyncAzureBackend, way: str, overwrite: bool
) -> None:
    """InvalidPath, and the folder stays with its content."""
    lake.put("a/b/f", b"old")
    lake.mkdir("empty")

    for folder in ("a", "a/b", "empty"):
        with pytest.raises(InvalidPath, match="exists as a directory") as caught:
            await write(backend, way, folder, overwrite=overwrite)
        assert caught.value.path == folder
    assert lake.files() == {"a/b/f": b"old"}
    assert lake.folders() == {"a", "a/b", "empty"}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_nothing_is_written_below_a_file(
    lake: Lake, backend: AsyncAzureBackend, way: str, overwrite: bool
) -> None:
    """InvalidPath that names the file, however far above it is."""
    lake.put("a/f", b"old")

    for key in ("a/f/g", "a/f/g/h/i"):
        with pytest.raises(InvalidPath, match="a/f exists as a file") as caught:
            await write(backend, way, key, overwrite=overwrite)
        assert caught.value.path == key
    assert lake.files() == {"a/f": b"old"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_folder_is_neither_source_nor_destination(
    lake: Lake, backend: AsyncAzureBackend, method: str, overwrite: bool
) -> None:
    """It is not moved, though the service could; and nothing is put over it."""
    lake.put("a/f", b"f")
    lake.mkdir("empty")

    for src, dst in (("a", "b"), ("a", "a/b"), ("a/f", "a"), ("a/f", "empty"), ("empty", "a/f")):
        with pytest.raises(InvalidPath) as caught:
            await call(backend, method, src, dst, overwrite=overwrite)
        assert caught.value.path == (dst if src == "a/f" else src)
    assert lake.files() == {"a/f": b"f"}
    assert lake.folders() == {"a", "empty"}


@pytest.mark.parametrize("method", METHODS)
async def test_nothing_goes_below_a_file(
    lake: Lake, backend: AsyncAzureBackend, method: str
) -> None:
    """InvalidPath that names it."""
    lake.put("f", b"f")
    lake.put("g", b"g")

    for dst in ("g/x", "g/x/y"):
        with pytest.raises(InvalidPath, match="g exists as a file") as caught:
            await call(backend, method, "f", dst)
        assert caught.value.path == dst
    assert lake.files() == {"f": b"f", "g": b"g"}
