"""A program that uses a store: what checkers must accept, and what they must refuse."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import assert_type

from remote_store import (
    Capability,
    FileInfo,
    FolderEntry,
    FolderInfo,
    PathEntry,
    RemotePath,
    ResolutionPlan,
    StoreProfile,
    WriteResult,
)
from remote_store.aio import AsyncStore
from remote_store.aio.ext.glob import glob_files


class AsyncFile:
    async def read(self, size: int = -1, /) -> bytes:
        return b""


async def chunks() -> AsyncIterator[bytes]:
    yield b"x"


async def reads(store: AsyncStore) -> None:
    assert_type(store.read("a"), AsyncGenerator[bytes, None])
    async with contextlib.aclosing(store.read("a")) as content:
        async for chunk in content:
            assert_type(chunk, bytes)
    await store.read("a").aclose()
    assert_type(await store.read_bytes("a"), bytes)
    assert_type(await store.read_text("a", encoding="ascii", errors="replace"), str)
    assert_type(await store.read_bytes(RemotePath("a") / RemotePath("b")), bytes)
    assert_type(sorted([RemotePath("b"), RemotePath("a")]), list[RemotePath])
    path = RemotePath("a/b.txt")
    assert_type(await store.read_bytes(path.with_suffix(".csv").with_stem("c")), bytes)
    assert_type(path.joinpath("d", path).relative_to("a").with_name("e"), RemotePath)
    assert_type((path.stem, path.suffix, path.suffixes), tuple[str, str, list[str]])
    assert_type((path.match("*.txt"), path.is_relative_to(path)), tuple[bool, bool])
    StoreProfile("local", root_path=path)

    await store.read("a")  # expect-error: an iterator is no awaitable
    await store.read_bytes(b"a")  # expect-error: a path is a str
    await store.read_bytes(Path("a"))  # expect-error: a path of the store is not a local one
    await store.read_text("a", "ascii")  # expect-error: keyword only
    Path(RemotePath("a"))  # expect-error: nor the other way round
    assert RemotePath("a") < "b"  # expect-error: sorts among its like
    os.fspath(path)  # expect-error: it would be a local file of the same name
    os.stat(path)  # expect-error: so would this
    path.with_name(path)  # expect-error: a name is text


async def writes(store: AsyncStore) -> None:
    assert_type(await store.write("a", b"x"), WriteResult)
    await store.write("a", bytearray(b"x"), overwrite=True, metadata={"k": "v"})
    await store.write("a", memoryview(b"x"))
    await store.write("a", chunks())
    await store.write("a", [b"x", b"y"])
    await store.write("a", io.BytesIO(b"x"))
    await store.write("a", AsyncFile())
    with Path("a").open("rb") as file:
        await store.write_atomic("a", file)
    await store.write_text("a", "x", encoding="utf-8")

    await store.write("a", "x")  # expect-error: text needs write_text
    await store.write("a", io.StringIO("x"))  # expect-error: a text file
    await store.write("a", b"x", True)  # expect-error: overwrite is keyword only
    await store.write("a", b"x", metadata={"k": 1})  # expect-error: values are str
    await store.write_text("a", b"x")  # expect-error: bytes need write


async def lists(store: AsyncStore) -> None:
    async for file in store.list_files("", recursive=True, pattern="*.csv", max_depth=3):
        assert_type(file, FileInfo)
        assert_type(file.modified_at, datetime)
    async for folder in store.list_folders(""):
        assert_type(folder, FolderEntry)
    async for child in store.iter_children(""):
        assert_type(child.path, RemotePath)
        if isinstance(child, FileInfo):
            assert_type(child.size, int)
        else:
            assert_type(child, FolderEntry)
        entry: PathEntry = child
        print(entry.name)
    async for match in glob_files(store, "**/*.csv"):
        assert_type(match, FileInfo)

    async for folder in store.list_folders(""):
        print(folder.size)  # expect-error: a folder in a listing has no size
    store.list_folders("", recursive=True)  # expect-error: no such argument


async def metadata(store: AsyncStore) -> None:
    info = await store.get_file_info("a")
    assert_type(info.metadata, Mapping[str, str] | None)
    assert_type(await store.head("a"), WriteResult)
    assert_type(await store.get_folder_info("", max_depth=1), FolderInfo)
    assert_type(await store.exists("a"), bool)
    assert_type(store.supports(Capability.GLOB), bool)
    assert_type(store.resolve("a"), ResolutionPlan)
    assert_type(store.child("a"), AsyncStore)
    assert_type(store.unwrap(Path), Path)

    info.size = 1  # expect-error: frozen
    store.resolve("a").key = "b"  # expect-error: frozen
    store.supports("glob")  # expect-error: a member of the enum
    wrong: str = store.unwrap(Path)  # expect-error: gives what was asked for
    print(wrong)
