"""The promises of a backend that are easiest to break."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from acme_backend import AcmeBackend

from remote_store import AlreadyExists, BackendUnavailable, InvalidPath, NotFound
from remote_store.aio import AsyncStore, open_store

pytestmark = pytest.mark.asyncio


async def test_entry_point_serves_the_scheme(tmp_path: Path) -> None:
    """``acme:`` opens a store below the folder of the URL."""
    async with open_store("acme:///in", database=str(tmp_path / "f.db")) as store:
        await store.write("a/b.bin", b"123", metadata={"k": "v"})

        assert await store.read_bytes("a/b.bin") == b"123"
        assert (await store.get_file_info("a/b.bin")).metadata == {"k": "v"}
        assert [str(f.path) async for f in store.list_files("", recursive=True)] == ["a/b.bin"]
        assert [str(f.path) async for f in store.list_folders("")] == ["a"]


async def test_one_of_many_exclusive_writers_wins(tmp_path: Path) -> None:
    """Two backends over one file stand for two processes."""
    backends = [AcmeBackend(str(tmp_path / "f.db")) for _ in range(2)]
    stores = [AsyncStore(backend) for backend in backends for _ in range(8)]
    for key in map(str, range(50)):
        writes = (store.write(key, b"%d" % n) for n, store in enumerate(stores))
        results = await asyncio.gather(*writes, return_exceptions=True)

        refused = [result for result in results if isinstance(result, AlreadyExists)]
        assert len(refused) == len(stores) - 1, results
    for backend in backends:
        await backend.aclose()


async def test_failing_source_changes_nothing(tmp_path: Path) -> None:
    """The caller's exception comes back as it is, and the old file stays."""
    problem = RuntimeError("source")

    async def broken() -> AsyncIterator[bytes]:
        yield b"new"
        raise problem

    async with AsyncStore(AcmeBackend(str(tmp_path / "f.db"))) as store:
        await store.write("a", b"old")
        with pytest.raises(RuntimeError) as caught:
            await store.write("a", broken(), overwrite=True)

        assert caught.value is problem
        assert await store.read_bytes("a") == b"old"


async def test_names_are_told_apart_and_ordered(tmp_path: Path) -> None:
    """Keys that begin alike are different folders, and listings cross pages."""
    async with AsyncStore(AcmeBackend(str(tmp_path / "f.db"))) as store:
        names = [f"d/{n:04}" for n in range(1100)] + ["d.txt", "d0/x", "dd/x"]
        for name in names:
            await store.write(name, b"")

        assert len([f async for f in store.list_files("d")]) == 1100
        assert [f.name async for f in store.list_folders("")] == ["d", "d0", "dd"]
        with pytest.raises(InvalidPath):
            await store.write("d.txt/x", b"")
        with pytest.raises(InvalidPath):
            await store.write("d", b"", overwrite=True)


async def test_move_onto_an_existing_file_is_refused(tmp_path: Path) -> None:
    """A refused move leaves both files; a missing source is reported first."""
    async with AsyncStore(AcmeBackend(str(tmp_path / "f.db"))) as store:
        await store.write("a", b"1")
        await store.write("b", b"2")
        with pytest.raises(AlreadyExists):
            await store.move("a", "b")
        with pytest.raises(NotFound):
            await store.move("c", "b")
        await store.move("a", "b", overwrite=True)

        assert await store.read_bytes("b") == b"1"
        assert not await store.exists("a")


async def test_a_key_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    """Half a surrogate pair is no text: InvalidPath with the backend's name."""
    async with AsyncStore(AcmeBackend(str(tmp_path / "f.db"))) as store:
        for call in (store.exists, store.read_bytes, lambda key: store.write(key, b"")):
            with pytest.raises(InvalidPath) as caught:
                await call("\ud800a")
            assert caught.value.backend == "acme"


async def test_a_target_is_checked_before_its_source(tmp_path: Path) -> None:
    """The root is no target, wherever the file is to come from."""
    backend = AcmeBackend(str(tmp_path / "f.db"))
    for call in (backend.move, backend.copy):
        with pytest.raises(InvalidPath):
            await call("missing", "")
    await backend.aclose()


async def test_keys_that_are_no_paths_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Put there by another program: never listed under another name, and one warning says so."""
    async with AsyncStore(AcmeBackend(str(tmp_path / "f.db"))) as store:
        await store.write("d/a", b"")
        with contextlib.closing(sqlite3.connect(tmp_path / "f.db")) as database, database:
            for key in ("d//a", "d/x//b", "/d/a", "d/trail/"):
                database.execute("INSERT INTO files SELECT ?, '', 0, 0, 'e', '{}'", (key,))

        assert [str(f.path) async for f in store.list_files("", recursive=True)] == ["d/a"]
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert [f.name async for f in store.list_folders("")] == ["d"]


async def test_what_cannot_be_told_raises(tmp_path: Path) -> None:
    """A file that is no database makes nothing look absent."""
    path = tmp_path / "f.db"
    path.mkdir()
    async with AsyncStore(AcmeBackend(str(path))) as store:
        with pytest.raises(BackendUnavailable):
            await store.exists("a")


async def test_a_busy_database_is_told_and_used_again(tmp_path: Path) -> None:
    """A reader keeps a commit from happening; the old file stays, and later all goes on."""
    path = tmp_path / "f.db"
    async with AsyncStore(AcmeBackend(str(path), timeout=0)) as store:
        await store.write("a", b"old")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM files").fetchall()
            with pytest.raises(BackendUnavailable, match="locked"):
                await store.write("a", b"new", overwrite=True)

        assert await store.read_bytes("a") == b"old"
        await store.write("a", b"new", overwrite=True)
        assert await store.read_bytes("a") == b"new"


async def test_a_database_that_is_busy_at_first_is_used_later(tmp_path: Path) -> None:
    """A connection without its table is not kept."""
    path = tmp_path / "f.db"
    async with AsyncStore(AcmeBackend(str(path), timeout=0)) as store:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            with pytest.raises(BackendUnavailable, match="locked"):
                await store.write("a", b"1")
        await store.write("a", b"1")

        assert await store.read_bytes("a") == b"1"


async def test_the_last_names_of_all_are_listed(tmp_path: Path) -> None:
    """A name may begin with the highest code point; the root ends above it."""
    names = ["\U0010ffff/a", "\U0010ffff\U0010ffff", "a"]
    async with AsyncStore(AcmeBackend(str(tmp_path / "f.db"))) as store:
        for name in names:
            await store.write(name, b"1")

        found = [str(file.path) async for file in store.list_files("", recursive=True)]
        assert sorted(found) == sorted(names)
        assert [folder.name async for folder in store.list_folders("")] == ["\U0010ffff"]
        assert (await store.get_folder_info("")).file_count == 3


async def test_pickles_as_its_configuration(tmp_path: Path) -> None:
    """A worker process opens the database anew."""
    async with AsyncStore(AcmeBackend(str(tmp_path / "f.db"))) as store:
        await store.write("a", b"1")
        copy = pickle.loads(pickle.dumps(AcmeBackend(str(tmp_path / "f.db"))))

        assert await copy.read_bytes("a") == b"1"
        await copy.aclose()
