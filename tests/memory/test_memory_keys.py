"""Which keys a backend takes when it is called without a store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from remote_store import InvalidPath, RemotePath, RemoteStoreError
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio

Refusal = Callable[[Awaitable[object]], Awaitable[RemoteStoreError]]

OPERATIONS: dict[str, Callable[[AsyncMemoryBackend, str], Awaitable[object]]] = {
    "exists": lambda b, k: b.exists(k),
    "is_file": lambda b, k: b.is_file(k),
    "is_folder": lambda b, k: b.is_folder(k),
    "read": lambda b, k: anext(b.read(k)),
    "read_bytes": lambda b, k: b.read_bytes(k),
    "write": lambda b, k: b.write(k, b"x"),
    "write_over": lambda b, k: b.write(k, b"x", overwrite=True),
    "write_atomic": lambda b, k: b.write_atomic(k, b"x"),
    "delete": lambda b, k: b.delete(k),
    "delete_ok": lambda b, k: b.delete(k, missing_ok=True),
    "delete_folder": lambda b, k: b.delete_folder(k),
    "delete_folder_ok": lambda b, k: b.delete_folder(k, missing_ok=True),
    "list_files": lambda b, k: anext(b.list_files(k)),
    "list_folders": lambda b, k: anext(b.list_folders(k)),
    "iter_children": lambda b, k: anext(b.iter_children(k)),
    "get_file_info": lambda b, k: b.get_file_info(k),
    "get_folder_info": lambda b, k: b.get_folder_info(k),
    "move_from": lambda b, k: b.move(k, "new"),
    "move_to": lambda b, k: b.move("d/f", k),
    "copy_from": lambda b, k: b.copy(k, "new"),
    "copy_to": lambda b, k: b.copy("d/f", k),
}
ROOTS = ["", ".", "./", ".//", "./."]


@pytest.mark.parametrize(
    "key", ["/d/f", "/", "d/../d/f", "..", "d/f/..", "d\0/f", "\0", "d\\f", "d/\\"]
)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_malformed(
    backend: AsyncMemoryBackend, operation: str, key: str, refusal: Refusal
) -> None:
    """A leading slash, '..', a NUL and a backslash are refused by every operation (PATH-002)."""
    await backend.write("d/f", b"1")

    error = await refusal(OPERATIONS[operation](backend, key))

    assert isinstance(error, InvalidPath)
    assert "path" in str(error)
    assert key == error.path
    assert await backend.read_bytes("d/f") == b"1"
    assert repr(backend) == "AsyncMemoryBackend(files=1, folders=1)"


@pytest.mark.parametrize("key", [None, b"d/f", 3, RemotePath("d/f")])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_no_str(backend: AsyncMemoryBackend, operation: str, key: str) -> None:
    """A key that is no str is a TypeError, whatever the operation."""
    await backend.write("d/f", b"1")

    with pytest.raises(TypeError, match="must be a str"):
        await OPERATIONS[operation](backend, key)


@pytest.mark.parametrize("key", ["d/f", "./d/f", "d//f", "d/./f", "d/f/", "d/f/.", ".//d/f"])
async def test_same_key(backend: AsyncMemoryBackend, key: str) -> None:
    """Empty and '.' segments change nothing, for what is read and for what is written."""
    result = await backend.write(key, b"1")

    assert RemotePath("d/f") == result.path
    assert b"1" == await backend.read_bytes(key) == await backend.read_bytes("d/f")
    assert await backend.is_file(key)
    assert RemotePath("d/f") == (await backend.get_file_info(key)).path
    await backend.write(key, b"2", overwrite=True)
    assert await backend.read_bytes("d/f") == b"2"
    await backend.move(key, "d/f")
    await backend.delete(key)
    assert repr(backend) == "AsyncMemoryBackend(files=0, folders=1)"


@pytest.mark.parametrize("key", ["...", "..a", "a..", " ", "a*[?]", "~", "C:x", "é", "e\u0301"])
async def test_ordinary_characters(backend: AsyncMemoryBackend, key: str) -> None:
    """Names that only look special are kept as they are."""
    await backend.write(f"d/{key}/f", b"1")

    assert await backend.read_bytes(f"d/{key}/f") == b"1"


@pytest.mark.parametrize("root", ROOTS)
async def test_root_queries(backend: AsyncMemoryBackend, root: str) -> None:
    """The root is a folder in every spelling, also in an empty store (PATH-008)."""
    assert await backend.exists(root)
    assert not await backend.is_file(root)
    assert await backend.is_folder(root)
    info = await backend.get_folder_info(root)
    assert (
        info.path,
        info.file_count,
        info.total_size,
        info.modified_at,
    ) == (RemotePath.ROOT, 0, 0, None)


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(
    "operation",
    [
        "write",
        "write_over",
        "write_atomic",
        "delete",
        "delete_ok",
        "delete_folder",
        "delete_folder_ok",
        "move_from",
        "move_to",
        "copy_from",
        "copy_to",
    ],
)
async def test_root_is_no_target(
    backend: AsyncMemoryBackend, operation: str, root: str, refusal: Refusal
) -> None:
    """The root cannot be written, deleted, moved or copied, in any spelling."""
    error = await refusal(OPERATIONS[operation](backend, root))

    assert isinstance(error, InvalidPath)
    assert "must not be empty" in str(error)


@pytest.mark.parametrize("operation", ["read", "read_bytes", "get_file_info"])
async def test_root_is_no_file(
    backend: AsyncMemoryBackend, operation: str, refusal: Refusal
) -> None:
    """Reading the root says that it is a directory."""
    error = await refusal(OPERATIONS[operation](backend, ""))

    assert isinstance(error, InvalidPath)
    assert "exists as a directory" in str(error)


@pytest.mark.parametrize("key", [".~tmp.x", "d/.~tmp.f.1", ".~tmp.d/f"])
@pytest.mark.parametrize("operation", ["write", "write_over", "write_atomic", "move_to", "copy_to"])
async def test_reserved(
    backend: AsyncMemoryBackend, operation: str, key: str, refusal: Refusal
) -> None:
    """Names of temporary files are no targets."""
    await backend.write("d/f", b"1")

    error = await refusal(OPERATIONS[operation](backend, key))

    assert isinstance(error, InvalidPath)
    assert "reserved" in str(error)
    assert not await backend.exists(key)
    assert repr(backend) == "AsyncMemoryBackend(files=1, folders=1)"


async def test_nearly_reserved(backend: AsyncMemoryBackend) -> None:
    """A name that only contains the reserved beginning is an ordinary name."""
    await backend.write("d/x.~tmp.y", b"1")

    assert await backend.read_bytes("d/x.~tmp.y") == b"1"
