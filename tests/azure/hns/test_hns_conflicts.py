"""What stands in the way of a file on a hierarchical account."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.azure.hns.lake import Lake, collected
from tests.azure.hns.test_hns_moving import METHODS, call
from tests.azure.hns.test_hns_writing import WAYS, write

from remote_store import InvalidPath, NotFound, PreconditionFailed
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


def then(lake: Lake, method: str, act: Callable[[], object]) -> None:
    """Let somebody else act just before the first request with a method is sent."""
    done: list[object] = []

    async def before(request: Any) -> None:
        if request.method == method and not done:
            done.append(act())

    lake.transport.before = before


async def test_a_folder_that_becomes_a_file_meanwhile(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """What was below it is missing: for a deletion, and for a listing."""

    def replace() -> None:
        lake.remove("a")
        lake.put("a", b"a file")

    deletions: dict[str, Callable[[], Awaitable[None]]] = {
        "a/b/f": lambda: backend.delete("a/b/f"),
        "a/b": lambda: backend.delete_folder("a/b", recursive=True),
    }
    await backend.exists("a")
    for key, delete in deletions.items():
        lake.put("a/b/f", b"f")
        then(lake, "DELETE", replace)
        with pytest.raises(NotFound) as caught:
            await delete()
        assert (caught.value.path, caught.value.outcome_unknown) == (key, False)
        assert lake.files() == {"a": b"a file"}
        lake.remove("a")
    lake.put("a/b/f", b"f")
    then(lake, "GET", replace)
    assert await collected(backend.list_files("a/b")) == []


async def test_a_file_above_that_goes_meanwhile(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Its refusal is no missing file: nothing was written, and the caller may try again."""
    lake.put("f", b"f")
    await backend.exists("f")
    then(lake, "HEAD", lambda: lake.remove("f"))
    with pytest.raises(PreconditionFailed, match="nothing was written") as caught:
        await backend.write("f/x", b"x")
    assert (caught.value.path, caught.value.outcome_unknown) == ("f/x", False)
    await backend.write("f/x", b"x")
    assert lake.files() == {"f/x": b"x"}


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_folder_that_goes_meanwhile(
    lake: Lake, backend: AsyncAzureBackend, overwrite: bool
) -> None:
    """Its refusal is no conflict that stays: nothing was written, and the caller may try again."""
    lake.mkdir("d")
    await backend.exists("d")
    then(lake, "HEAD", lambda: lake.remove("d"))
    with pytest.raises(PreconditionFailed, match="nothing was written") as caught:
        await backend.write("d", b"x", overwrite=overwrite)
    assert (caught.value.path, caught.value.outcome_unknown) == ("d", False)
    assert (caught.value.status, caught.value.code) == (409, "ResourceTypeMismatch")
    await backend.write("d", b"x", overwrite=overwrite)
    assert lake.files() == {"d": b"x"}


@pytest.mark.parametrize("way", WAYS[1:])
async def test_a_folder_that_goes_before_its_look(
    lake: Lake, backend: AsyncAzureBackend, way: str
) -> None:
    """The code of a refused rename says that it was one; the next attempt writes the file."""
    lake.mkdir("d")
    await backend.exists("d")
    then(lake, "HEAD", lambda: lake.remove("d"))
    with pytest.raises(InvalidPath) as caught:
        await write(backend, way, "d", overwrite=True)
    assert (caught.value.path, caught.value.outcome_unknown) == ("d", False)
    assert (lake.files(), lake.folders()) == ({}, set())
    await write(backend, way, "d", overwrite=True)
    assert list(lake.files()) == ["d"]


async def test_a_folder_that_goes_after_a_lost_answer(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """The first attempt may have written what the folder has replaced."""
    lake.put("other", b"o")
    await backend.exists("other")

    sent: list[str] = []

    async def before(request: Any) -> None:
        sent.append(request.method)
        if sent != ["PUT"]:
            lake.remove("d")
        if sent == ["PUT", "PUT"]:
            lake.mkdir("d")

    lake.transport.before = before
    lake.emulator.fault("drop_after", nth=1)
    with pytest.raises(PreconditionFailed, match="may have been written all the same") as caught:
        await backend.write("d", b"x", overwrite=True)
    assert (caught.value.path, caught.value.outcome_unknown) == ("d", True)
    assert lake.files() == {"other": b"o"}


async def test_a_source_that_goes_meanwhile(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The answer is that to a destination below a file, yet the source is what is missing."""
    lake.put("f", b"f")
    await backend.exists("f")
    then(lake, "PUT", lambda: lake.remove("f"))
    with pytest.raises(NotFound) as caught:
        await backend.copy("f", "g")
    assert caught.value.path == "f"
    assert lake.files() == {}


async def test_a_draft_whose_folder_becomes_a_file_is_gone(
    lake: Lake, backend: AsyncAzureBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """There is nothing to be removed, and nothing to be told of."""
    lake.put("a/old", b"o")

    async def source() -> AsyncIterator[bytes]:
        yield b"x" * (9 << 20)
        lake.remove("a")
        lake.put("a", b"a file")
        msg = "the source failed"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="the source failed"):
        await backend.write("a/f", source())
    assert lake.files() == {"a": b"a file"}
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
