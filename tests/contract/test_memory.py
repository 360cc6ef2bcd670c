"""What only the memory backend promises."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.contract.probes import collect, in_new_loop

from remote_store import (
    Capability,
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
)
from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio


@pytest.fixture
def memory() -> AsyncMemoryBackend:
    """An empty memory backend."""
    return AsyncMemoryBackend()


async def test_identity(memory: AsyncMemoryBackend) -> None:
    """Name, repr with counts, and all capabilities but GLOB."""
    assert memory.name == "async-memory"
    assert repr(memory) == "AsyncMemoryBackend(files=0, folders=0)"
    await memory.write("a/b/c", b"")
    await memory.write("d", b"")
    assert repr(memory) == "AsyncMemoryBackend(files=2, folders=2)"
    await memory.delete_folder("a", recursive=True)
    assert repr(memory) == "AsyncMemoryBackend(files=1, folders=0)"
    assert set(memory.capabilities) == set(Capability) - {
        Capability.GLOB,
        Capability.SIGNED_URL,
        Capability.RESUMABLE_WRITE,
    }


async def test_read_is_one_chunk(memory: AsyncMemoryBackend) -> None:
    """A read yields exactly one chunk, also of an empty file."""
    for body in (b"", b"x", b"y" * (3 << 20)):
        await memory.write("f", body, overwrite=True)
        assert await collect(memory.read("f")) == [body]


async def test_content_is_kept_by_reference(memory: AsyncMemoryBackend) -> None:
    """Immutable bytes are not copied, on the way in nor on the way out."""
    body = b"x" * 100_000
    await memory.write("f", body)
    assert await memory.read_bytes("f") is body
    await memory.copy("f", "g")
    assert await memory.read_bytes("g") is body


async def test_results(memory: AsyncMemoryBackend) -> None:
    """Results are native with the stored time; there is no digest and no version."""
    before = datetime.now(UTC)
    result = await memory.write("f", b"abc", metadata={"k": "v"})
    after = datetime.now(UTC)
    assert (result.source, result.size, result.metadata) == ("native", 3, {"k": "v"})
    assert (result.digest, result.version_id) == (None, None)
    assert result.last_modified is not None
    assert before <= result.last_modified <= after
    info = await memory.get_file_info("f")
    assert (info.modified_at, info.etag) == (result.last_modified, result.etag)
    assert (info.digest, info.content_type) == (None, None)


async def test_times_of_move_and_copy(memory: AsyncMemoryBackend) -> None:
    """A move keeps the time, a copy is a new version with a time of its own."""
    first = await memory.write("f", b"", metadata={"k": "v"})
    await asyncio.sleep(0.002)
    await memory.copy("f", "c")
    await memory.move("f", "m")
    copied, moved = await memory.get_file_info("c"), await memory.get_file_info("m")
    assert first.last_modified == moved.modified_at
    assert copied.modified_at > moved.modified_at
    assert copied.metadata == moved.metadata == {"k": "v"}
    if copied.etag is not None:
        assert copied.etag != moved.etag


async def test_listing_is_a_snapshot_of_its_folder(memory: AsyncMemoryBackend) -> None:
    """Files come in the order of their creation, and changes meanwhile do not disturb."""
    for name in ("c", "a", "b"):
        await memory.write(name, b"")
    listing = memory.list_files("")
    assert (await anext(listing)).name == "c"
    await memory.delete("a")
    await memory.write("d", b"")
    rest = [f.name for f in await collect(listing)]
    assert rest[-1] == "b"
    assert set(rest) <= {"a", "b"}
    assert [f.name for f in await collect(memory.list_files(""))] == ["c", "b", "d"]


async def test_leaving_a_listing_early_holds_nothing(memory: AsyncMemoryBackend) -> None:
    """While a listing is suspended or left, every other operation goes on."""
    await memory.write("d/a", b"")
    await memory.write("d/b", b"")
    async with contextlib.aclosing(memory.list_files("", recursive=True)) as listing:  # type: ignore[type-var]
        await anext(listing)
        await asyncio.wait_for(memory.write("d/c", b""), 5)
        await asyncio.wait_for(memory.delete_folder("d", recursive=True), 5)
    assert await collect(memory.list_files("", recursive=True)) == []


async def test_only_a_store_turns_a_backslash(memory: AsyncMemoryBackend) -> None:
    """Called directly the backend refuses one; a store makes it a slash."""
    with pytest.raises(InvalidPath, match="backslash"):
        await memory.exists("a\\b")
    await AsyncStore(memory).write("a\\b", b"1")
    assert await memory.read_bytes("a/b") == b"1"


async def test_extra_separators_in_keys(memory: AsyncMemoryBackend) -> None:
    """Called directly the backend drops empty and dot segments; "./" is its root."""
    result = await memory.write("a//./b/", b"1")
    assert str(result.path) == "a/b"
    assert await memory.read_bytes("./a/b") == b"1"
    assert str((await memory.get_file_info("a/./b")).path) == "a/b"
    assert [str(f.path) for f in await collect(memory.list_files("a/"))] == ["a/b"]
    assert await memory.is_folder("./") is True


async def test_pure_members(memory: AsyncMemoryBackend) -> None:
    """Keys are their own native paths, there is no handle and no native glob."""
    assert memory.native_path("a/b") == memory.to_key("a/b") == "a/b"
    assert memory.native_path(".") == ""
    plan = memory.resolve("a")
    assert (plan.kind, plan.backend, plan.key) == ("async-memory", "async-memory", "a")
    with pytest.raises(CapabilityNotSupported, match="does not expose") as caught:
        memory.unwrap(dict)
    assert caught.value.capability == "unwrap"
    with pytest.raises(CapabilityNotSupported, match="does not support glob"):
        await collect(memory.glob("*"))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda m: m.read_bytes("gone"), NotFound, "not found"),
        (lambda m: m.write("f", b""), FileExistsError, "already exists"),
        (lambda m: m.write("d", b""), InvalidPath, "exists as a directory"),
        (lambda m: m.move("f", "d"), InvalidPath, "exists as a directory"),
        (lambda m: m.copy("f", "d"), InvalidPath, "exists as a directory"),
        (lambda m: m.write("f/x", b""), InvalidPath, "exists as a file"),
        (lambda m: m.delete_folder("d"), OSError, "not empty"),
        (lambda m: m.write("", b""), InvalidPath, "must not be empty"),
        (lambda m: m.delete(""), InvalidPath, "must not be empty"),
        (lambda m: m.delete_folder(""), InvalidPath, "must not be empty"),
        (lambda m: m.move("", "x"), InvalidPath, "must not be empty"),
        (lambda m: m.copy("f", ""), InvalidPath, "must not be empty"),
        (lambda m: m.get_file_info(""), InvalidPath, ""),
    ],
)
async def test_message_fragments(
    memory: AsyncMemoryBackend, call: Any, kind: type[Exception], text: str
) -> None:
    """Messages have the fragments that programs match on."""
    await memory.write("f", b"")
    await memory.write("d/g", b"")
    with pytest.raises(kind) as caught:
        await call(memory)
    assert text in str(caught.value).lower()


async def test_not_for_other_processes(memory: AsyncMemoryBackend) -> None:
    """Pickling refuses with a reason; a silent empty copy would lose data."""
    with pytest.raises(TypeError, match="memory"):
        pickle.dumps(memory)
    await memory.write("f", b"1")
    try:
        clone = copy.copy(memory)
    except TypeError:
        return
    assert await clone.read_bytes("f") == b"1"


async def test_one_loop_after_another(memory: AsyncMemoryBackend) -> None:
    """The content outlives the loop that wrote it and the close of the store."""
    store = AsyncStore(memory)

    def use() -> list[bytes]:
        for i in range(5):
            in_new_loop(store.write(f"f{i}", bytes([i])))
            in_new_loop(store.aclose())
        return [in_new_loop(store.read_bytes(f"f{i}")) for i in range(5)]

    assert await asyncio.to_thread(use) == [bytes([i]) for i in range(5)]


async def test_deep_trees(memory: AsyncMemoryBackend) -> None:
    """Thousands of levels are walked, summed and deleted without recursion."""
    deep = "/".join(["d"] * 5000)
    await memory.write(f"{deep}/f", b"1")
    assert len(await collect(memory.list_files("", recursive=True))) == 1
    assert (await memory.get_folder_info("")).file_count == 1
    await memory.delete_folder("d", recursive=True)
    assert repr(memory) == "AsyncMemoryBackend(files=0, folders=0)"
