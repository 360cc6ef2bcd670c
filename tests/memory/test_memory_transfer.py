"""Moving and copying: every pair of places, and nothing lost on any refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from remote_store import AlreadyExists, InvalidPath, NotFound, RemoteStoreError
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio

Refusal = Callable[[Awaitable[object]], Awaitable[RemoteStoreError]]
Contents = Callable[[AsyncMemoryBackend], Awaitable[dict[str, bytes]]]
Folders = Callable[[AsyncMemoryBackend], Awaitable[set[str]]]

#: What is there before each of the transfers below.
FILES = {"f": b"f", "g": b"g", "d/h": b"h", "d/e/i": b"i", "other/j": b"j"}
FOLDERS = {"d", "d/e", "other"}


NAMES = pytest.mark.parametrize("name", ["move", "copy"])
OVERWRITE = pytest.mark.parametrize("overwrite", [False, True])


async def _full() -> AsyncMemoryBackend:
    """Return a backend with `FILES`."""
    backend = AsyncMemoryBackend()
    for key, content in FILES.items():
        await backend.write(key, content, metadata={"from": key})
    return backend


@NAMES
@pytest.mark.parametrize(
    ("src", "dst"),
    [
        ("f", "new"),
        ("f", "new/deep/er"),
        ("f", "d/new"),
        ("d/h", "top"),
        ("d/h", "d/e/new"),
        ("d/e/i", "d/new"),
        ("d/e/i", "d/e/new"),
        ("./d//h", "d/./new/"),
    ],
)
async def test_to_a_free_key(
    name: str, src: str, dst: str, contents: Contents, folders: Folders
) -> None:
    """Content and metadata arrive, folders are made, and only a move takes the source away."""
    backend = await _full()
    source = src.replace("./", "").replace("//", "/")
    target = dst.replace("./", "").rstrip("/")
    await getattr(backend, name)(src, dst)

    expected = FILES | {target: FILES[source]}
    if name == "move":
        del expected[source]
    assert expected == await contents(backend)
    assert await folders(backend) >= FOLDERS
    info = await backend.get_file_info(dst)
    assert {"from": source} == info.metadata
    assert (target, target.rpartition("/")[2]) == (str(info.path), info.name)


@NAMES
async def test_onto_a_file(name: str, contents: Contents, refusal: Refusal) -> None:
    """A file at the target is refused, or replaced together with its metadata."""
    backend = await _full()

    error = await refusal(getattr(backend, name)("f", "d/h"))
    assert isinstance(error, AlreadyExists)
    assert "already exists" in str(error)
    assert error.path == "d/h"
    assert await contents(backend) == FILES

    await getattr(backend, name)("f", "d/h", overwrite=True)
    assert await backend.read_bytes("d/h") == b"f"
    assert (await backend.get_file_info("d/h")).metadata == {"from": "f"}
    assert (name == "copy") == await backend.exists("f")


@NAMES
@OVERWRITE
@pytest.mark.parametrize(
    ("src", "dst", "kind", "fragment"),
    [
        # The source is missing, whatever the target is.
        ("gone", "new", NotFound, "not found | path='gone'"),
        ("gone", "gone", NotFound, "not found | path='gone'"),
        ("gone", "f", NotFound, "not found | path='gone'"),
        ("gone", "d", NotFound, "not found | path='gone'"),
        ("gone", "f/below", NotFound, "not found | path='gone'"),
        ("f/below", "new", NotFound, "not found | path='f/below'"),
        ("f/below", "f", NotFound, "not found | path='f/below'"),
        ("no/such", "new", NotFound, "not found | path='no/such'"),
        # It is a folder.
        ("d", "new", InvalidPath, "directory: d"),
        ("d", "d", InvalidPath, "directory: d"),
        ("d", "d/e/below", InvalidPath, "directory: d"),
        ("d/e", "f", InvalidPath, "directory: d/e"),
        # The target is a folder: any, the source's own, one above it.
        ("f", "d", InvalidPath, "exists as a directory"),
        ("d/h", "d", InvalidPath, "exists as a directory"),
        ("d/e/i", "d", InvalidPath, "exists as a directory"),
        ("d/h", "d/e", InvalidPath, "exists as a directory"),
        # It lies below a file: another, or the source itself.
        ("f", "g/below", InvalidPath, "g exists as a file"),
        ("f", "d/h/be/low", InvalidPath, "d/h exists as a file"),
        ("f", "f/below", InvalidPath, "f exists as a file"),
        ("d/h", "d/h/be/low", InvalidPath, "d/h exists as a file"),
    ],
)
async def test_refused(
    name: str,
    overwrite: bool,
    src: str,
    dst: str,
    kind: type[Exception],
    fragment: str,
    contents: Contents,
    folders: Folders,
    refusal: Refusal,
) -> None:
    """A refused transfer changes nothing: no file, no folder, no version."""
    backend = await _full()
    etags = {key: (await backend.get_file_info(key)).etag for key in FILES}

    error = await refusal(getattr(backend, name)(src, dst, overwrite=overwrite))

    assert kind is type(error)
    assert fragment in str(error)
    assert await contents(backend) == FILES
    assert await folders(backend) == FOLDERS
    assert etags == {key: (await backend.get_file_info(key)).etag for key in FILES}


@NAMES
@OVERWRITE
async def test_onto_itself(name: str, overwrite: bool, contents: Contents) -> None:
    """A file moved or copied onto itself stays the same version, in every spelling."""
    backend = await _full()
    before = await backend.get_file_info("d/h")
    await getattr(backend, name)("d/h", "./d//h/", overwrite=overwrite)

    after = await backend.get_file_info("d/h")
    assert (before.etag, before.modified_at) == (after.etag, after.modified_at)
    assert await contents(backend) == FILES


async def test_versions() -> None:
    """A moved file is the same version under another key, a copy is a new one."""
    backend = await _full()
    before = await backend.get_file_info("f")
    await backend.copy("f", "copied")
    await backend.move("f", "moved")
    moved = await backend.get_file_info("moved")
    copied = await backend.get_file_info("copied")

    assert (before.modified_at, before.etag) == (moved.modified_at, moved.etag)
    assert before.modified_at < copied.modified_at
    assert before.etag != copied.etag


async def test_independent() -> None:
    """Nothing that is done to a copy or to its source shows in the other (COPY-004)."""
    backend = await _full()
    await backend.copy("f", "a")
    await backend.copy("f", "b")
    await backend.write("a", b"changed", overwrite=True)
    await backend.delete("f")

    assert await backend.read_bytes("b") == b"f"
    assert (await backend.get_file_info("b")).metadata == {"from": "f"}


async def test_room_after_a_move() -> None:
    """A key below a file is free once the file has moved away."""
    backend = await _full()
    await backend.move("f", "parked")
    await backend.move("parked", "f/below")

    assert await backend.read_bytes("f/below") == b"f"
