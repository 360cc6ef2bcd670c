"""Nothing leads out of the root: links, special files, and folders swapped under a call."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remote_store import InvalidPath, NotFound, RemoteStoreError
from remote_store_local import AsyncLocalBackend
from remote_store_local._fs import folder, resolve
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.resolve import Root, best_method

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("method")]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root, with a secret in it."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    (folder / "secret").write_bytes(b"secret")
    return folder


async def every_call(backend: AsyncLocalBackend, key: str) -> list[Any]:
    """Return what each operation on a file key answers, errors as values."""

    async def listed(items: Any) -> list[Any]:
        return [item async for item in items]

    calls = [
        backend.exists(key),
        backend.is_file(key),
        backend.is_folder(key),
        backend.read_bytes(key),
        listed(backend.read(key)),
        backend.get_file_info(key),
        backend.write(key, b"x", overwrite=True),
        backend.write(key, b"x"),
        backend.write_atomic(key, b"x", overwrite=True),
        backend.delete(key),
        backend.delete(key, missing_ok=True),
        backend.copy(key, "elsewhere", overwrite=True),
        backend.copy("here", key, overwrite=True),
        backend.move("here", key, overwrite=True),
        backend.move(key, "elsewhere", overwrite=True),
    ]
    return [await asyncio.gather(call, return_exceptions=True) for call in calls]


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("key", ["file", "folder/secret", "folder/new", "folder/deep/new", "gone"])
async def test_links_out(
    backend: AsyncLocalBackend, root: Path, outside: Path, absolute: bool, key: str
) -> None:
    """Every operation through a link that leaves the root is InvalidPath."""
    target = outside if absolute else Path("../outside")
    (root / "here").write_bytes(b"here")
    (root / "file").symlink_to(target / "secret")
    (root / "folder").symlink_to(target)
    (root / "gone").symlink_to(target / "gone")
    before = sorted(os.walk(outside))
    for (answer,) in await every_call(backend, key):
        assert isinstance(answer, InvalidPath), answer
        assert "leaves the root" in str(answer)
    for call in (
        backend.delete_folder("folder", recursive=True),
        backend.delete_folder("folder/deep", recursive=True),
        backend.get_folder_info("folder"),
    ):
        with pytest.raises(InvalidPath):
            await call
    assert sorted(os.walk(outside)) == before
    assert (outside / "secret").read_bytes() == b"secret"
    assert (root / "here").read_bytes() == b"here"


async def test_links_out_are_not_listed(
    backend: AsyncLocalBackend, root: Path, outside: Path
) -> None:
    """Links that leave the root, dangling ones, circles and special files are in no listing."""
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "dangling").symlink_to("nowhere")
    (root / "circle").symlink_to("circle")
    os.mkfifo(root / "pipe")
    (root / "seen").write_bytes(b"1")
    assert [str(e.path) async for e in backend.iter_children("")] == ["seen"]
    assert [str(e.path) async for e in backend.list_files("", recursive=True)] == ["seen"]
    assert [str(e.path) async for e in backend.list_folders("")] == []
    assert [str(e.path) async for e in backend.glob("**")] == ["seen"]
    assert (await backend.get_folder_info("")).file_count == 1
    for key in ("folder", "folder/deep"):
        with pytest.raises(InvalidPath):
            _ = [e async for e in backend.list_files(key)]


@pytest.mark.parametrize("absolute", [False, True])
async def test_links_inside(backend: AsyncLocalBackend, root: Path, absolute: bool) -> None:
    """Links inside the root are followed, relative and absolute; writing keeps the link."""
    target = root if absolute else Path()
    (root / "real/sub").mkdir(parents=True)
    (root / "real/f").write_bytes(b"1")
    (root / "file").symlink_to(target / "real/f")
    (root / "chain").symlink_to(target / "file")
    (root / "folder").symlink_to(target / "real")
    for key in ("file", "chain", "folder/f"):
        assert await backend.is_file(key)
        assert await backend.read_bytes(key) == b"1"
        assert (await backend.get_file_info(key)).size == 1
    await backend.write("chain", b"22", overwrite=True)
    assert (root / "chain").is_symlink()
    assert (root / "file").is_symlink()
    assert (root / "real/f").read_bytes() == b"22"
    assert not (root / "real/f").is_symlink()
    await backend.write("folder/new/x", b"3")
    assert (root / "real/new/x").read_bytes() == b"3"
    assert await backend.is_folder("folder")
    names = {str(e.path) async for e in backend.iter_children("")}
    assert names == {"real", "folder", "file", "chain"}
    assert {str(e.path) async for e in backend.list_files("folder")} == {"folder/f"}
    # A recursive walk does not enter linked folders.
    found = [str(e.path) async for e in backend.list_files("", recursive=True)]
    assert sorted(found) == ["chain", "file", "real/f", "real/new/x"]


async def test_dangling_links(backend: AsyncLocalBackend, root: Path) -> None:
    """A dangling link inside the root is absent; writing to it makes what it names."""
    (root / "dangling").symlink_to("folder/target")
    assert not await backend.exists("dangling")
    with pytest.raises(NotFound):
        await backend.read_bytes("dangling")
    with pytest.raises(NotFound):
        await backend.delete("dangling")
    await backend.write("dangling", b"x")
    assert (root / "dangling").is_symlink()
    assert (root / "folder/target").read_bytes() == b"x"


async def test_deleting_links(backend: AsyncLocalBackend, root: Path) -> None:
    """Deleting a link removes the link, never what it leads to."""
    (root / "real").mkdir()
    (root / "real/f").write_bytes(b"1")
    (root / "file").symlink_to("real/f")
    (root / "folder").symlink_to("real")
    await backend.delete("file")
    with pytest.raises(InvalidPath):
        await backend.delete("folder")
    with pytest.raises(OSError, match="not empty"):
        await backend.delete_folder("folder")
    await backend.delete_folder("folder", recursive=True)
    assert sorted(p.name for p in root.rglob("*")) == ["f", "real"]
    (root / "empty").mkdir()
    (root / "folder").symlink_to("empty")
    await backend.delete_folder("folder")
    assert sorted(p.name for p in root.rglob("*")) == ["empty", "f", "real"]


async def test_moving_through_a_link(backend: AsyncLocalBackend, root: Path) -> None:
    """The file behind the link moves; a relative link would break elsewhere."""
    (root / "real").mkdir()
    (root / "real/f").write_bytes(b"1")
    (root / "link").symlink_to("real/f")
    await backend.move("link", "far/away/f")
    assert await backend.read_bytes("far/away/f") == b"1"
    assert not await backend.exists("link")
    assert not await backend.exists("real/f")


async def test_move_and_copy_onto_an_own_link(backend: AsyncLocalBackend, root: Path) -> None:
    """A key and a link to it are one place: nothing happens, nothing is lost."""
    (root / "f").write_bytes(b"1")
    (root / "link").symlink_to("f")
    await backend.move("f", "link", overwrite=True)
    await backend.copy("f", "link", overwrite=True)
    await backend.move("link", "f", overwrite=True)
    assert await backend.read_bytes("f") == b"1"
    assert (root / "link").is_symlink()


async def test_recursive_delete_never_follows(
    backend: AsyncLocalBackend, root: Path, outside: Path
) -> None:
    """Links in a deleted folder are removed; what they lead to stays."""
    (root / "keep").mkdir()
    (root / "keep/f").write_bytes(b"1")
    (root / "d/e").mkdir(parents=True)
    (root / "d/out").symlink_to(outside)
    (root / "d/e/out").symlink_to(outside / "secret")
    (root / "d/in").symlink_to("../keep")
    (root / "d/up").symlink_to("..")
    os.mkfifo(root / "d/pipe")
    await backend.delete_folder("d", recursive=True)
    assert sorted(p.name for p in root.rglob("*")) == ["f", "keep"]
    assert sorted(p.name for p in outside.iterdir()) == ["deep", "secret"]


async def test_special_files(backend: AsyncLocalBackend, root: Path) -> None:
    """Pipes and sockets are InvalidPath everywhere, and no call waits for their other end."""
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        old = os.getcwd()
        os.chdir(root)  # the name of a socket must be short
        try:
            unix.bind("socket")
        finally:
            os.chdir(old)
        (root / "here").write_bytes(b"here")
        for key in ("pipe", "socket"):
            async with asyncio.timeout(5):
                for (answer,) in await every_call(backend, key):
                    assert isinstance(answer, InvalidPath), answer
            with pytest.raises(InvalidPath):
                await backend.delete_folder(key, recursive=True)


async def test_special_file_swapped_in(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that takes the file's place after the look at it is neither read nor waited for."""
    (root / "f").write_bytes(b"1")
    original = OpenFolder.open

    def swap(self: OpenFolder, name: str, *args: Any, **kwargs: Any) -> int:
        os.unlink(root / "f")
        os.mkfifo(root / "f")
        return original(self, name, *args, **kwargs)

    monkeypatch.setattr(OpenFolder, "open", swap)
    async with asyncio.timeout(5):
        with pytest.raises(InvalidPath):
            await backend.read_bytes("f")


async def test_circles(backend: AsyncLocalBackend, root: Path) -> None:
    """Links in a circle are InvalidPath, not an endless loop."""
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    for key in ("a", "a/x"):
        with pytest.raises((InvalidPath, NotFound)):
            await backend.read_bytes(key)
        with pytest.raises(RemoteStoreError):
            await backend.write(key, b"x")


async def test_root_behind_a_link(root: Path, tmp_path: Path) -> None:
    """The root itself may be a link."""
    (tmp_path / "alias").symlink_to(root)
    backend = AsyncLocalBackend(tmp_path / "alias")
    await backend.write("a/b", b"1")
    (root / "a/in").symlink_to(root / "a/b")
    assert await backend.read_bytes("a/in") == b"1"
    assert backend.native_path("a/b") == str(tmp_path / "alias/a/b")


def race(root: Path, outside: Path, stop: threading.Event) -> None:
    """Exchange a folder for a link to the outside and back, as fast as can be."""
    (root / "link").symlink_to(outside)
    exchange = ctypes.CDLL(None, use_errno=True).renameat2
    names = os.fsencode(root / "d"), os.fsencode(root / "link")
    while not stop.is_set():
        assert exchange(-100, names[0], -100, names[1], 2) == 0


async def attack(backend: AsyncLocalBackend, seconds: float, key: str) -> set[str]:
    """Use the folder that is being swapped; return what kinds of answers came."""
    seen = set()
    until = asyncio.get_running_loop().time() + seconds
    n = 0
    while asyncio.get_running_loop().time() < until:
        n += 1
        calls = [
            backend.read_bytes(f"{key}/secret"),
            backend.write(f"{key}/planted{n % 7}", b"x", overwrite=True),
            backend.delete(f"{key}/secret", missing_ok=True),
            backend.delete_folder(f"{key}/deep", recursive=True),
        ]
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            assert answer != b"secret", "read from outside the root"
            seen.add(type(answer).__name__)
            if isinstance(answer, BaseException):
                assert isinstance(answer, RemoteStoreError), answer
    return seen


@pytest.mark.long
@pytest.mark.parametrize("method", ["walk"], indirect=True)
async def test_swapped_folders(root: Path, outside: Path) -> None:
    """
    However a folder is swapped for a link, nothing outside is read, made or deleted.

    Only the way that this machine uses is without a race; the other one promises less.
    """
    assert best_method() == "walk"
    backend = AsyncLocalBackend(root)
    (root / "d").mkdir()
    stop = threading.Event()
    thread = threading.Thread(target=race, args=(root, outside, stop))
    thread.start()
    try:
        seen = await attack(backend, 2.0, "d")
    finally:
        stop.set()
        thread.join()
    assert {"WriteResult", "InvalidPath"} <= seen  # both sides of the race were met
    assert sorted(p.name for p in outside.iterdir()) == ["deep", "secret"]
    assert sorted(p.name for p in root.iterdir() if p.name.startswith(".~tmp")) == []


@pytest.mark.parametrize("method", ["walk"], indirect=True)
async def test_a_naive_backend_fails_the_race(
    root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same attack breaks out of a backend that checks first and opens afterwards."""

    def naive(self: Root, key: str, *, listing: bool = False) -> OpenFolder:
        self.canonical(key)  # the check ...
        path = os.path.join(self.path, key)
        return OpenFolder(os.open(path, os.O_RDONLY | os.O_DIRECTORY))  # ... and the use

    backend = AsyncLocalBackend(root)
    monkeypatch.setattr(Root, "open_folder", naive)
    (root / "d").mkdir()
    stop = threading.Event()
    thread = threading.Thread(target=race, args=(root, outside, stop))
    thread.start()
    broken = False
    try:
        for _ in range(20):
            try:
                await attack(backend, 0.5, "d")
            except AssertionError:
                broken = True
            broken = broken or sorted(p.name for p in outside.iterdir()) != ["deep", "secret"]
            if broken:
                break
    finally:
        stop.set()
        thread.join()
    assert broken


async def test_no_descriptor_leaks(backend: AsyncLocalBackend, root: Path, outside: Path) -> None:
    """Neither success nor failure leaves a descriptor open."""
    (root / "out").symlink_to(outside)
    (root / "here").write_bytes(b"h")
    (root / "d/e").mkdir(parents=True)
    await backend.exists("")
    before = len(os.listdir("/proc/self/fd"))
    for key in ("a/b/c", "out/x", "here/x", "d", "d/e/f", "missing/x"):
        await every_call(backend, key)
        (root / "here").write_bytes(b"h")
    for key in ("d", "missing", "out", "here"):
        for call in (
            backend.get_folder_info(key),
            backend.delete_folder(key),
            backend.delete_folder(key, recursive=True),
        ):
            await asyncio.gather(call, return_exceptions=True)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_fallback_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where calls take no ``dir_fd``, paths are checked instead."""
    assert best_method() == "walk"
    monkeypatch.setattr(os, "supports_dir_fd", set())
    assert resolve.best_method() == "path"


async def test_very_long_keys(backend: AsyncLocalBackend, root: Path, method: str) -> None:
    """PATH-005: nothing has a name that is too long; a long path works where the system allows."""
    long = "x" * 300
    await backend.write("source", b"1")

    async def source() -> AsyncIterator[bytes]:
        pytest.fail("a bad name is refused before its content is asked for")
        yield b""

    for key in (long, f"d/{long}", f"d/{long}/x"):
        for write in (
            lambda key: backend.write(key, b"1"),
            lambda key: backend.write(key, source(), overwrite=True),
            lambda key: backend.copy("source", key),
            lambda key: backend.move("source", key, overwrite=True),
        ):
            with pytest.raises(InvalidPath, match="too long"):
                await write(key)
        assert not await backend.exists(key)
        assert not await backend.is_file(key)
        assert [item async for item in backend.list_files(key, recursive=True)] == []
        assert [item async for item in backend.glob(f"{key}/*")] == []
        await backend.delete(key, missing_ok=True)
        for ask in (
            backend.read_bytes(key),
            backend.get_file_info(key),
            backend.get_folder_info(key),
            backend.delete_folder(key),
            backend.copy(key, "target"),
        ):
            with pytest.raises(NotFound):
                await ask
    assert [p.name for p in root.iterdir()] == ["source"]
    (root / "source").unlink()
    key = "/".join(["y" * 200] * 30)
    if method == "walk":
        await backend.write(key, b"1")
        assert await backend.read_bytes(key) == b"1"
        assert [str(f.path) async for f in backend.list_files("", recursive=True)] == [key]
        await backend.delete_folder("y" * 200, recursive=True)
    else:
        with pytest.raises(InvalidPath, match="too long"):
            await backend.write(key, b"1")


async def test_a_link_is_swapped_while_it_is_followed(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that became a folder, or nothing, since it was looked at is taken as what it is."""
    (root / "target").write_bytes(b"1")
    readlink = os.readlink

    def late(path: str, **kwargs: Any) -> str:
        if os.path.islink(root / "link"):
            (root / "link").unlink()
            if becomes == "folder":
                (root / "link").mkdir()
        return readlink(path, **kwargs)

    for becomes, error in (("folder", InvalidPath), ("nothing", NotFound)):
        (root / "link").symlink_to("target")
        with monkeypatch.context() as patch:
            patch.setattr(os, "readlink", late)
            with pytest.raises(error) as caught:
                await backend.read_bytes("link")
        assert type(caught.value) is error
        if becomes == "folder":
            (root / "link").rmdir()


# Systems with descriptors have no junctions.
@pytest.mark.parametrize("method", ["path"], indirect=True)
async def test_junctions(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Windows reports as a folder although it leads elsewhere is treated as a link."""

    class Status:
        st_mode = 0o040755
        st_file_attributes = 0x400

    (root / "d").mkdir()
    opened = OpenFolder(None, f"{root}{os.sep}")
    opened.enter("d").close()
    monkeypatch.setattr(OpenFolder, "stat", lambda self, name: Status())
    with pytest.raises(OSError, match="link") as caught:
        opened.enter("d")
    assert caught.value.errno == 18

    class Entry:
        def is_dir(self, *, follow_symlinks: bool) -> bool:
            return True

        def stat(self, *, follow_symlinks: bool) -> Status:
            return Status()

    entry: Any = Entry()
    assert folder.is_own_folder(entry)
    monkeypatch.setattr(folder, "os", type("Nt", (), {"name": "nt"}))
    assert not folder.is_own_folder(entry)
