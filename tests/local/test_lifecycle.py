"""Construction, health, pickling, loops, threads, forks, closing."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import count_hops
from tests.operations import OPERATIONS, Paths, settle

from remote_store import (
    CapabilityNotSupported,
    InvalidPath,
    NotFound,
    PermissionDenied,
)
from remote_store.aio import AsyncStore
from remote_store_local import AsyncLocalBackend

pytestmark = pytest.mark.asyncio


async def test_construction(tmp_path: Path) -> None:
    """The root is made on request; a missing one, a file and nonsense are told apart."""
    AsyncLocalBackend(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()
    with pytest.raises(NotFound, match="missing"):
        AsyncLocalBackend(tmp_path / "missing", create_root=False)
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file/below"):
        for create in (False, True):
            with pytest.raises(InvalidPath) as caught:
                AsyncLocalBackend(path, create_root=create)
            assert isinstance(caught.value.__cause__, OSError)
    for options in ({"fsync": "maybe"}, {"max_workers": 0}):
        with pytest.raises(ValueError, match="must be"):
            AsyncLocalBackend(tmp_path, **options)
    with pytest.raises(ValueError, match="empty"):
        AsyncLocalBackend("")


async def test_construction_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root that the system refuses is a typed error."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(13, "no")

    monkeypatch.setattr(os, "makedirs", fail)
    with pytest.raises(PermissionDenied):
        AsyncLocalBackend(tmp_path / "x")


async def test_relative_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative root is that of the moment of construction."""
    monkeypatch.chdir(tmp_path)
    backend = AsyncLocalBackend("rel")
    monkeypatch.chdir("/")
    await backend.write("f", b"1")
    assert (tmp_path / "rel/f").exists()


async def test_names(backend: AsyncLocalBackend, root: Path) -> None:
    """PATH-009: `native_path` and `to_key` are inverse; the plan names the root."""
    assert backend.name == "async-local"
    assert str(root) in repr(backend)
    for key in ("a", "a/b c", "é"):
        assert backend.native_path(key) == f"{root}/{key}"
        assert backend.to_key(backend.native_path(key)) == key
    assert backend.native_path("") == backend.native_path(".") == str(root)
    assert backend.to_key(str(root)) == backend.to_key(f"{root}/") == ""
    for outside in ("/", "a", str(root.parent), f"{root}x", f"{root}/../x", f"{root}/a\\b", ""):
        with pytest.raises(InvalidPath):
            backend.to_key(outside)
    plan = backend.resolve("a/b")
    assert (plan.kind, plan.key, plan.native_path) == ("async-local", "a/b", f"{root}/a/b")
    assert plan.details == {"root": str(root)}
    assert backend.unwrap(Path) == root
    with pytest.raises(CapabilityNotSupported, match="native handle"):
        backend.unwrap(str)


async def test_health(backend: AsyncLocalBackend, root: Path, monkeypatch: Any) -> None:
    """`check_health` tells a missing root, a file and a refusal."""
    await backend.check_health()
    with monkeypatch.context() as patch:

        def fail(*_: Any) -> Any:
            raise OSError(13, "no")

        patch.setattr(os, "scandir", fail)
        with pytest.raises(PermissionDenied):
            await backend.check_health()
    root.rmdir()
    with pytest.raises(NotFound):
        await backend.check_health()
    root.touch()
    with pytest.raises(NotFound, match="not a folder"):
        await backend.check_health()


async def test_questions(backend: AsyncLocalBackend, root: Path) -> None:
    """INFO-003, 004, 008: the truth table of the three questions, and of info."""
    await backend.write("d/f", b"1")
    table = {
        "": (True, False, True),
        ".": (True, False, True),
        "d": (True, False, True),
        "d/f": (True, True, False),
        "d/f/x": (False, False, False),
        "missing": (False, False, False),
        "missing/x": (False, False, False),
    }
    for key, expected in table.items():
        answer = (
            await backend.exists(key),
            await backend.is_file(key),
            await backend.is_folder(key),
        )
        assert answer == expected, key
    for key in ("", "d"):
        with pytest.raises(InvalidPath):
            await backend.get_file_info(key)
    for key in ("d/f/x", "missing"):
        with pytest.raises(NotFound, match=key):
            await backend.get_file_info(key)


async def test_pickle(backend: AsyncLocalBackend, root: Path) -> None:
    """A backend pickles as its configuration, threads running or not."""
    await backend.write("f", b"1")
    copy = pickle.loads(pickle.dumps(AsyncLocalBackend(root, fsync="always", max_workers=3)))
    assert await copy.read_bytes("f") == b"1"
    assert (copy._options["fsync"], copy._options["max_workers"]) == ("always", 3)
    assert await pickle.loads(pickle.dumps(backend)).read_bytes("f") == b"1"


async def test_close(backend: AsyncLocalBackend, root: Path) -> None:
    """LIFE-002, 005: closing ends the threads, twice is fine, and the backend stays usable."""

    def ours() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name.startswith("remote-store-local")]

    already = set(ours())
    async with backend:
        await backend.write("f", bytes(3 << 20))
        reading = backend.read("f")
        await anext(reading)
        assert set(ours()) - already
    await backend.aclose()
    # A stream that is under way goes on: nothing of it was closed.
    assert sum([len(part) async for part in reading]) == 2 << 20

    async def source() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        await backend.aclose()
        yield bytes(2 << 20)

    await backend.write("g", source())
    assert len(await backend.read_bytes("g")) == 4 << 20
    await backend.aclose()
    for _ in range(200):
        if not set(ours()) - already:
            break
        await asyncio.sleep(0.01)
    assert not set(ours()) - already


async def test_many_loops(root: Path) -> None:
    """One object, many loops one after another and at once in threads."""
    backend = AsyncLocalBackend(root)
    store = AsyncStore(backend)

    def run(n: int) -> None:
        async def work() -> None:
            for i in range(10):
                await store.write(f"{n}/{i}", b"%d" % i)
                assert await store.read_bytes(f"{n}/{i}") == b"%d" % i
                assert [f.name async for f in store.list_files(f"{n}")]

        asyncio.run(work())

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert (await store.get_folder_info("")).file_count == 80


async def test_slow_calls_delay_nobody_else(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 calls that hang leave the loop's own threads free."""
    go = threading.Event()

    def hang(self: Any, key: str) -> None:
        assert go.wait(50)

    monkeypatch.setattr(type(backend._files), "kind", hang)
    calls = [asyncio.ensure_future(backend.exists(f"f{n}")) for n in range(64)]
    await asyncio.sleep(0.05)
    started = time.perf_counter()
    await asyncio.to_thread(int)
    await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    assert time.perf_counter() - started < 15
    go.set()
    await asyncio.gather(*calls)


@pytest.mark.parametrize("name", [n for n, op in OPERATIONS.items() if not op.lazy])
async def test_one_hop(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Every small operation goes to a thread exactly once, and never blocks the loop."""
    (root / "empty").mkdir()
    (root / "f").write_bytes(b"1")
    jobs = count_hops(monkeypatch)
    await settle(OPERATIONS[name](backend, Paths("f", "empty", "new/deep/key")))
    assert len(jobs) == 1


async def test_one_hop_of_a_sweep(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one, too."""
    jobs = count_hops(monkeypatch)
    await backend.sweep()
    assert len(jobs) == 1


@pytest.mark.parametrize("name", ["list_files", "list_folders", "iter_children"])
async def test_one_hop_for_a_page(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A listing that fits a page is one hop."""
    (root / "d").mkdir()
    (root / "f").touch()
    jobs = count_hops(monkeypatch)
    assert [item async for item in getattr(backend, name)("")]
    assert len(jobs) == 1


async def test_fork(backend: AsyncLocalBackend, root: Path) -> None:
    """A forked child uses the parent's backend as if it were its own."""
    script = """
        import asyncio, os, sys
        from remote_store_local import AsyncLocalBackend
        backend = AsyncLocalBackend(sys.argv[1])
        asyncio.run(backend.write("parent", b"1"))
        asyncio.run(backend.aclose())
        pid = os.fork()
        asyncio.run(backend.write("child" if not pid else "again", b"2"))
        if not pid:
            os._exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), root], check=True, timeout=30)
    assert sorted(os.listdir(root)) == ["again", "child", "parent"]


PERMISSIONS = """
    import asyncio, os, sys
    from remote_store import NotFound, PermissionDenied, RemoteStoreError
    from remote_store_local import AsyncLocalBackend

    root = sys.argv[1]
    os.setgid(65534)
    os.setuid(65534)
    backend = AsyncLocalBackend(root)

    async def refused(call):
        try:
            await call
        except PermissionDenied as error:
            assert isinstance(error.__cause__, OSError), error
        else:
            raise AssertionError(call)

    async def main():
        assert len(backend.capabilities) >= 12
        await refused(backend.read_bytes("secret"))
        await refused(backend.get_file_info("secret"))
        await refused(backend.copy("secret", "open/x"))
        for key in ("closed/f", "closed/missing"):
            await refused(backend.exists(key))
            await refused(backend.is_file(key))
            await refused(backend.read_bytes(key))
            await refused(backend.delete(key, missing_ok=True))
        async def listed(items):
            return [item async for item in items]
        await refused(listed(backend.list_files("closed")))
        await refused(listed(backend.list_files("", recursive=True)))
        await refused(backend.get_folder_info(""))
        for overwrite in (False, True):
            await refused(backend.write("readonly/new", b"x", overwrite=overwrite))
            await refused(backend.write("readonly/a/b", b"x", overwrite=overwrite))
            await refused(backend.copy("readable", "readonly/new", overwrite=overwrite))
            await refused(backend.move("open/mine", "readonly/new", overwrite=overwrite))
        await refused(backend.delete("readable"))
        await refused(backend.delete_folder("full", recursive=True))
        await backend.write("open/x/y", b"1")
        await backend.move("open/x/y", "open/z")
        # Writing needs no permission to list: a box to drop files into.
        await backend.write("box/dropped", b"1")
        assert await backend.read_bytes("box/dropped") == b"1"
        await refused(listed(backend.list_files("box")))

    asyncio.run(main())
"""


async def test_permissions(tmp_path: Path) -> None:
    """What the system refuses is PermissionDenied, never False, missing or empty."""
    if os.getuid() != 0:
        pytest.skip("needs root, to become somebody who lacks permissions")
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        folder.chmod(0o755)
        for name, mode in (("closed", 0o700), ("open", 0o777), ("readonly", 0o755), ("box", 0o733)):
            (folder / name).mkdir()
            (folder / name).chmod(mode)
        (folder / "full/sub").mkdir(parents=True)
        for key in ("closed/f", "secret", "readable", "full/sub/f"):
            (folder / key).write_bytes(b"1")
        (folder / "open/mine").write_bytes(b"1")
        os.chown(folder / "open/mine", 65534, 65534)
        (folder / "secret").chmod(0o600)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PERMISSIONS), folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        assert (folder / "full/sub/f").exists()
    finally:
        shutil.rmtree(folder)
