"""User metadata, ETags and write results."""

from __future__ import annotations

import errno
import os
import random
import shutil
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.operations import NOT_IN_PROCESS

from remote_store import (
    UNKNOWN_TIME,
    Capability,
    CapabilityNotSupported,
    RemoteStoreError,
)
from remote_store_local import AsyncLocalBackend
from remote_store_local._fs import xattrs
from remote_store_local._fs.xattrs import decode_metadata, encode_metadata, etag_of, modified_at

pytestmark = pytest.mark.asyncio

#: JSON that is nested deeper than Python reads.
DEEP = zlib.compress(b'{"a":' + b"[" * 100_000)


@pytest.fixture(params=["disk", "tmpfs"])
def any_root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A root on each of two file systems."""
    if request.param == "disk":
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


def greatest() -> list[dict[str, str]]:
    """Return metadata of 2048 bytes that grow most when they are encoded."""
    rng = random.Random(7)
    pairs = [a + b for a in map(chr, range(1, 95)) for b in map(chr, range(1, 120))]
    keys = rng.sample(pairs, 1024)
    noise = "".join(map(chr, rng.choices(range(1, 32), k=2047)))
    return [
        {"k": "x" * 2047},
        {"k": "é" * 1023 + "x"},
        {"k": '"' * 2047},
        {"k": "\\" * 2047},
        {"k": "\x01" * 2047},
        {"k": noise},
        {"k": "".join(map(chr, rng.choices(range(1, 128), k=2047)))},
        dict.fromkeys(keys, ""),
        dict(zip(keys[:682], noise, strict=False)),
    ]


@pytest.mark.parametrize("case", range(9))
async def test_greatest_metadata(any_root: Path, case: int) -> None:
    """META-001: metadata of the full 2048 bytes come back, whatever characters they hold."""
    metadata = greatest()[case]
    assert 2040 <= sum(len(k) + len(v.encode()) for k, v in metadata.items()) <= 2048
    backend = AsyncLocalBackend(any_root)
    await backend.write("f", b"x", metadata=metadata)
    assert (await backend.get_file_info("f")).metadata == metadata


async def test_capabilities(any_root: Path) -> None:
    """Both file systems of this machine offer everything but seeking."""
    backend = AsyncLocalBackend(any_root)
    assert set(Capability) - set(backend.capabilities) == {
        Capability.SEEKABLE_READ,
        *NOT_IN_PROCESS,
    }
    assert backend.capabilities <= AsyncLocalBackend.CAPABILITIES
    assert os.listdir(any_root) == []


async def stream() -> AsyncIterator[bytes]:
    yield b"x"


@pytest.mark.parametrize("metadata", [None, {}, {"a": "1", "b": "ü"}])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", ["write", "write_atomic"])
async def test_result_agrees(any_root: Path, metadata: Any, streamed: bool, kind: str) -> None:
    """RES-001: a result says what a following `get_file_info` says."""
    backend = AsyncLocalBackend(any_root)
    given = None if metadata is None else dict(metadata)
    before = datetime.now(UTC)
    content = stream() if streamed else b"x"
    result = await getattr(backend, kind)("d/f", content, metadata=given)
    info = await backend.get_file_info("d/f")
    assert result.source == "native"
    assert (result.path, result.size) == (info.path, info.size)
    assert result.etag == info.etag
    assert info.etag is not None
    assert '"' not in info.etag
    assert result.last_modified == info.modified_at
    assert abs((info.modified_at - before).total_seconds()) < 5
    assert result.metadata == metadata
    assert info.metadata == (metadata or None)
    if given is not None:
        given["later"] = "x"
        assert result.metadata == metadata  # META-003


@pytest.mark.parametrize("overwrite", [True, False])
async def test_result_agrees_with_link_fallback(
    backend: AsyncLocalBackend, link_fallback: None, overwrite: bool
) -> None:
    """Publishing through a second link changes the times; the result has the last ones."""
    result = await backend.write("f", b"x", overwrite=overwrite)
    assert result.etag == (await backend.get_file_info("f")).etag


async def test_metadata_follow(backend: AsyncLocalBackend) -> None:
    """META-002, MOVE-001, COPY-001: replaced by a write, kept by move and copy."""
    await backend.write("a", b"1", metadata={"k": "v"})
    await backend.copy("a", "b")
    await backend.move("a", "c")
    for key in ("b", "c"):
        assert (await backend.get_file_info(key)).metadata == {"k": "v"}
    await backend.write("c", b"2", overwrite=True, metadata={"other": "x"})
    assert (await backend.get_file_info("c")).metadata == {"other": "x"}
    await backend.write("c", b"3", overwrite=True)
    assert (await backend.get_file_info("c")).metadata is None
    assert (await backend.get_file_info("b")).metadata == {"k": "v"}


async def test_etag_changes(backend: AsyncLocalBackend, root: Path) -> None:
    """INFO-005: every version has an ETag of its own, and one version keeps it."""
    seen = set()
    for _ in range(30):
        await backend.write("f", b"same", overwrite=True)
        one, two = await backend.get_file_info("f"), await backend.get_file_info("f")
        assert one.etag == two.etag
        seen.add(one.etag)
    await backend.copy("f", "g")
    seen.add((await backend.get_file_info("g")).etag)
    assert len(seen) == 31
    with open(root / "g", "r+b") as file:  # another program, in place
        file.write(b"more than before")
    assert (await backend.get_file_info("g")).etag not in seen


async def test_etag_does_not_trust_the_status(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two versions differ even where inode, times and size repeat to the last digit."""
    await backend.write("f", b"one")
    frozen = os.stat(backend.native_path("f"))
    real = os.fstat
    monkeypatch.setattr(os, "fstat", lambda fd: frozen)
    etags = []
    for content in (b"two", b"six", b"two"):
        result = await backend.write("f", content, overwrite=True)
        etags.append(result.etag)
        assert (await backend.get_file_info("f")).etag == result.etag
    monkeypatch.setattr(os, "fstat", real)
    assert len(set(etags)) == 3
    assert len({etag.partition("-")[2] for etag in etags if etag}) == 1  # all the rest repeats


async def test_foreign_files_have_no_etag(backend: AsyncLocalBackend, root: Path) -> None:
    """A file of another program has no generation, and so no honest token."""
    (root / "f").write_bytes(b"x")
    info = await backend.get_file_info("f")
    assert (info.etag, info.metadata, info.size) == (None, None, 1)


def without_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "getxattr", refuse)
    monkeypatch.setattr(os, "setxattr", refuse)


async def test_without_attributes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files keep no attributes: no USER_METADATA, no ETag, all else as usual."""
    without_attributes(monkeypatch)
    backend = AsyncLocalBackend(root)
    assert Capability.USER_METADATA not in backend.capabilities
    result = await backend.write("f", b"x", metadata={})
    assert (result.etag, result.source, result.metadata) == (None, "native", None)
    assert (await backend.get_file_info("f")).etag is None
    await backend.copy("f", "g")
    await backend.move("g", "h")
    for content in (b"x", stream()):
        with pytest.raises(CapabilityNotSupported) as caught:
            await backend.write("new", content, metadata={"a": "b"})
        assert caught.value.capability == "user_metadata"
    assert sorted(os.listdir(root)) == ["f", "h"]


async def test_without_attributes_below(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mounted file system without attributes: no ETag; metadata fail loudly, never silently."""
    backend = AsyncLocalBackend(root)
    without_attributes(monkeypatch)
    assert (await backend.write("f", b"x")).etag is None
    assert (await backend.get_file_info("f")).etag is None
    with pytest.raises(CapabilityNotSupported, match="attributes") as caught:
        await backend.write("g", b"x", metadata={"a": "b"})
    assert caught.value.capability == "user_metadata"
    assert os.listdir(root) == ["f"]


async def test_no_calls_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems without these calls (macOS, Windows) keep no attributes."""
    monkeypatch.delattr(os, "getxattr")
    assert not xattrs.keeps_attributes("/")


async def test_damaged_metadata(backend: AsyncLocalBackend, root: Path) -> None:
    """Metadata that nobody of us wrote are an error, not None and not a crash."""
    await backend.write("f", b"x", metadata={"a": "b"})
    for raw in (b"{", b"nonsense", b"[1]", b"\xff\xfe", b"x\x9c", DEEP):
        os.setxattr(root / "f", "user.remote_store.metadata", raw)
        with pytest.raises(RemoteStoreError, match="Unreadable") as caught:
            await backend.get_file_info("f")
        assert caught.value.path == "f"
        assert caught.value.__cause__ is not None


async def test_unreadable_attribute(
    backend: AsyncLocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing disk is an error, never "no metadata"."""
    await backend.write("f", b"x", metadata={"a": "b"})

    def fail(*_: Any) -> Any:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(os, "getxattr", fail)
    with pytest.raises(RemoteStoreError, match="disk"):
        await backend.get_file_info("f")


async def test_copy_keeps_the_time(backend: AsyncLocalBackend, root: Path) -> None:
    """A copy has the modification time and permissions of its source."""
    await backend.write("a", b"1")
    os.utime(root / "a", ns=(10**18, 10**18 + 123_456_789))
    (root / "a").chmod(0o640)
    await backend.copy("a", "b")
    assert (root / "b").stat().st_mtime_ns == 10**18 + 123_456_789
    assert (root / "b").stat().st_mode & 0o777 == 0o640


async def test_codec() -> None:
    """Short metadata stay readable JSON; nothing is nothing."""
    assert encode_metadata(None) == encode_metadata({}) == b""
    assert encode_metadata({"a": "é"}) == '{"a":"é"}'.encode()
    assert decode_metadata(b"", "k", "b") is None
    with pytest.raises(ValueError, match="UTF-8"):
        encode_metadata({"a": "\ud800"})


async def test_times() -> None:
    """Times are whole microseconds in UTC; what no calendar has is unknown."""

    class Status:
        def __init__(self, ns: int) -> None:
            self.st_mtime_ns = ns

    assert modified_at(Status(1_500)) == datetime(1970, 1, 1, 0, 0, 0, 1, UTC)  # type: ignore[arg-type]
    assert modified_at(Status(-1)) == datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)  # type: ignore[arg-type]
    assert modified_at(Status(10**30)) is UNKNOWN_TIME  # type: ignore[arg-type]
    edge = (1 << 32) * 10**6  # microseconds, up to which a float is enough
    chosen = random.Random(7)
    for micros in (0, edge - 1, edge, *(chosen.randrange(edge) for _ in range(2000))):
        exact = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
        for rest in (0, 999):
            assert modified_at(Status(micros * 1000 + rest)) == exact  # type: ignore[arg-type]
    assert etag_of(None, os.stat("/")) is None


@pytest.mark.parametrize("name", ["write", "write_atomic"])
async def test_metadata_is_taken_before_the_content(backend: AsyncLocalBackend, name: str) -> None:
    """What the caller does to its dict while the content is read changes nothing (META-003)."""
    given = {"k": "v"}

    async def content() -> AsyncIterator[bytes]:
        yield b"x"
        given["k"] = "changed"

    result = await getattr(backend, name)("f", content(), metadata=given)
    assert result.metadata == {"k": "v"}
    assert (await backend.get_file_info("f")).metadata == {"k": "v"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.E2BIG])
async def test_metadata_that_do_not_fit(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """An attribute that the file system has no room for is called by its name."""
    setxattr = os.setxattr

    def refuse(fd: int, name: str, value: bytes) -> None:
        if "metadata" in name:
            raise OSError(number, os.strerror(number))
        setxattr(fd, name, value)

    monkeypatch.setattr(os, "setxattr", refuse)
    for content in (b"x", stream()):
        with pytest.raises(RemoteStoreError, match="metadata do not fit") as caught:
            await backend.write("f", content, metadata={"a": "b"})
        assert caught.value.path == "f"
        assert isinstance(caught.value.__cause__, OSError)
    assert os.listdir(root) == []


async def test_metadata_on_a_full_disk(
    backend: AsyncLocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file system has no room for anything, the error says that, and nothing else."""

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    full = os.statvfs_result((4096, 4096, 100, 0, 0, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "setxattr", refuse)
    monkeypatch.setattr(os, "fstatvfs", lambda _: full)
    with pytest.raises(RemoteStoreError, match="No space left on the file system"):
        await backend.write("f", b"x", metadata={"k": "v"})
    assert os.listdir(root) == []
