"""Files whose size is not what they hold, and files that are written to while they are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from remote_store import PreconditionFailed
from remote_store_local import AsyncLocalBackend, LocalBackend, _read, _transfer

pytestmark = pytest.mark.asyncio

PSEUDO = [
    "/proc/kallsyms",
    "/proc/self/status",
    "/proc/sys/kernel/osrelease",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/profiling",
    "/sys/class/net/lo/mtu",
]


async def joined(items: Any) -> bytes:
    return b"".join([part async for part in items])


@pytest.mark.parametrize("path", PSEUDO)
async def test_files_of_the_system(path: str) -> None:
    """Files of /proc and /sys say 0 or 4096 bytes; every way to read gives what they hold."""
    if not os.access(path, os.R_OK):
        pytest.skip(f"{path} is not there to be read")
    with open(path, "rb") as file:
        expected = file.read()
    if b"VmRSS" in expected:
        expected = b""  # never the same twice
    top, _, key = path[1:].partition("/")
    files, local = AsyncLocalBackend(f"/{top}"), LocalBackend(f"/{top}")
    chunks: list[int] = []
    async for part in files.read(key):
        chunks.append(len(part))  # noqa: PERF401
    assert len(chunks) <= 20 + sum(chunks) // 4000  # as many as the system gives, no single bytes
    with local.read(key) as stream, local.read(key) as other:
        in_steps = b"".join(iter(lambda: other.read(1000), b""))
        for content in (
            await joined(files.read(key)),
            await files.read_bytes(key),
            stream.read(),
            in_steps,
        ):
            assert content == expected or (not expected and b"VmRSS" in content)


async def test_a_file_that_grows(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is appended while a file is read is read in blocks as well, and not byte by byte."""
    size, step, times = (1 << 20) + 10, 1 << 16, 4
    (root / "log").write_bytes(bytes(size))
    read, asked = _read.SharedFile.read, []

    def late(self: Any, count: int) -> bytes:
        asked.append(count)
        assert len(asked) < 20
        data = read(self, count)
        if len(asked) <= times:
            with open(root / "log", "ab") as file:
                file.write(bytes(step))
        return data

    monkeypatch.setattr(_read.SharedFile, "read", late)
    assert len(await joined(backend.read("log"))) == size + times * step
    assert len(asked) <= times + 3  # two for what was there, one for the end


@pytest.mark.parametrize("way", ["read_bytes", "copy"])
async def test_a_file_that_is_written_anew(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """An end before the size is an error, also if the file has its size again a moment later."""
    (root / "f").write_bytes(bytes(1000))
    os.utime(root / "f", ns=(0, 0))
    read, calls = os.read, []

    def late(fd: int, count: int) -> bytes:
        calls.append(count)
        if len(calls) > 2:
            return read(fd, count)
        os.truncate(root / "f", 10)
        data = read(fd, count)
        (root / "f").write_bytes(b"x" * 1000)
        os.utime(root / "f", ns=(0, 0))
        return data

    monkeypatch.setattr(os, "read", late)
    with pytest.raises(PreconditionFailed, match="shrank") as caught:
        await (backend.copy("f", "g") if way == "copy" else backend.read_bytes("f"))
    assert caught.value.path == "f"
    assert os.listdir(root) == ["f"]


@pytest.mark.parametrize(("size", "way"), [(100, "read"), (3 << 20, "read"), (3 << 20, "system")])
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("change", ["rewritten", "appended", "replaced", "deleted"])
async def test_copies_are_of_one_version(
    root: Path, monkeypatch: pytest.MonkeyPatch, size: int, way: str, overwrite: bool, change: str
) -> None:
    """A source that is written to while it is copied is an error; one that is replaced is none."""
    backend = LocalBackend(root)
    (root / "f").write_bytes(b"a" * size)
    if overwrite:
        (root / "g").write_bytes(b"old")
    owner: Any = _transfer if way == "read" else os
    name = "_read" if way == "read" else "copy_file_range"
    read, left = getattr(owner, name), [1]

    def late(*args: Any) -> Any:
        data = read(*args)
        if left:
            left.clear()
            found = os.stat(root / "f")
            if change == "appended":
                with open(root / "f", "ab") as file:
                    file.write(b"b")
            elif change == "rewritten":
                with open(root / "f", "r+b") as file:
                    file.write(b"b" * size)
                os.utime(root / "f", ns=(found.st_atime_ns, found.st_mtime_ns))
            elif change == "replaced":
                backend.write("f", b"new", overwrite=True)
            else:
                os.unlink(root / "f")
        return data

    if way == "read":
        monkeypatch.delattr(os, "copy_file_range")
    monkeypatch.setattr(owner, name, late)
    if change in ("replaced", "deleted"):
        backend.copy("f", "g", overwrite=overwrite)
        assert (root / "g").read_bytes() == b"a" * size
        return
    with pytest.raises(PreconditionFailed, match="changed while it was being copied") as caught:
        backend.copy("f", "g", overwrite=overwrite)
    assert caught.value.path == "f"
    assert sorted(os.listdir(root)) == (["f", "g"] if overwrite else ["f"])
    if overwrite:
        assert (root / "g").read_bytes() == b"old"


async def test_a_copy_of_a_file_that_grows_for_ever(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that cannot become one version any more ends at once, not with its source."""
    backend = LocalBackend(root)
    (root / "log").write_bytes(bytes(1 << 20))
    read = os.read
    reads: list[int] = []

    def growing(fd: int, size: int) -> bytes:
        reads.append(size)
        assert len(reads) < 20
        with (root / "log").open("ab") as file:
            file.write(bytes(2 << 20))
        return read(fd, size)

    monkeypatch.setattr(os, "read", growing)
    with pytest.raises(PreconditionFailed):
        backend.copy("log", "copy")
    assert os.listdir(root) == ["log"]
