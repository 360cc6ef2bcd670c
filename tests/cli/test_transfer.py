"""The copy engine: bounded, complete, and nothing lost when something fails."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from attrs import evolve

from remote_store import (
    UNKNOWN_TIME,
    BackendUnavailable,
    Capability,
    CapabilitySet,
    ContentDigest,
    FileInfo,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store.aio import AsyncStore
from remote_store_cli._compare import ComparisonResult, compare
from remote_store_cli._location import parse
from remote_store_cli._opening import OpenedPath
from remote_store_cli._progress import Silent
from remote_store_cli._transfer import Policy, TransferTotals, copy_file, copy_tree, move_file
from remote_store_memory import AsyncMemoryBackend

pytestmark = pytest.mark.asyncio

CHUNK = b"x" * 1024


class Rigged:
    """A memory backend with some members replaced; everything else is delegated."""

    def __init__(self, **members: Any) -> None:
        self._memory = AsyncMemoryBackend()
        self._members = members

    def __getattr__(self, name: str) -> Any:
        members = self.__dict__["_members"]
        return members[name] if name in members else getattr(self.__dict__["_memory"], name)


def place(key: str = "", name: str = "a", **members: Any) -> OpenedPath:
    return OpenedPath(AsyncStore(Rigged(**members)), key, parse(f"@{name}"))


class Notes(Silent):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.bytes = 0
        self.failures: list[tuple[str, Exception]] = []

    def advance(self, size: int) -> None:
        self.bytes += size

    def failed(self, path: str, error: Exception) -> None:
        self.failures.append((path, error))


async def paths(store: AsyncStore) -> list[str]:
    return sorted([f.path.as_posix() async for f in store.list_files("", recursive=True)])


async def test_at_most_jobs_files_are_in_flight() -> None:
    """Exactly as many files as allowed are open at a time, and all arrive."""
    running = most = 0

    async def read(path: str) -> AsyncIterator[bytes]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        yield b"c"

    source, target = place("in", read=read), place("out", "b")
    for i in range(40):
        await source.store.write(f"in/{i}", b"c")

    report = await copy_tree(source, target, Policy(jobs=5), Notes())

    assert (most, report.copied) == (5, 40)
    assert len(await paths(target.store)) == 40


async def test_a_listing_that_waits_is_pulled_by_one_at_a_time() -> None:
    """Workers take turns at a listing that fetches its pages; no file is lost or done twice."""
    source, target = place("in"), place("", "b")
    for i in range(20):
        await source.store.write(f"in/{i}", b"c")
    infos = [info async for info in source.store.list_files("in")]

    async def list_files(path: str, **options: Any) -> AsyncIterator[FileInfo]:
        for info in infos:
            await asyncio.sleep(0.001)
            yield info

    source.store._backend._members["list_files"] = list_files  # type: ignore[attr-defined]

    report = await copy_tree(source, target, Policy(jobs=5), Notes())

    assert (report.copied, report.failed) == (20, 0)


async def test_a_file_is_never_held_in_memory() -> None:
    """The target pulls chunk by chunk: the source is never far ahead."""
    handed_out = ahead = 0

    async def read(path: str) -> AsyncIterator[bytes]:
        nonlocal handed_out
        for _ in range(200):
            handed_out += 1
            yield CHUNK

    async def write_atomic(path: str, content: Any, **options: Any) -> Any:
        nonlocal ahead
        taken = 0
        async for chunk in content:
            taken += 1
            ahead = max(ahead, handed_out - taken)
            await asyncio.sleep(0)
            assert chunk == CHUNK
        return await target.store.write("x", CHUNK * taken)

    source = place("x", read=read)
    target = place("t", "b", write_atomic=write_atomic)
    await source.store.write("x", CHUNK * 200)

    outcome = await copy_file(source, target, Policy(metadata=False), Notes())

    assert (outcome.size, ahead) == (200 * 1024, 0)


async def test_one_failure_does_not_lose_the_rest() -> None:
    """A file that cannot be read is reported; the others are copied; the count is right."""

    async def read(path: str) -> AsyncIterator[bytes]:
        if path == "in/3":
            msg = "no answer"
            raise BackendUnavailable(msg, path=path)
        yield b"c"

    source, target, notes = place("in", read=read), place("", "b"), Notes()
    for i in range(8):
        await source.store.write(f"in/{i}", b"c")

    report = await copy_tree(source, target, Policy(jobs=2), notes)

    assert (report.copied, report.failed) == (7, 1)
    assert [path for path, _ in notes.failures] == ["3"]
    assert "3" not in await paths(target.store)


async def test_a_listing_that_breaks_is_a_failure() -> None:
    """What was listed is copied, and the transfer does not pass for complete."""
    source, target, notes = place("in"), place("", "b"), Notes()
    await source.store.write("in/1", b"c")

    async def list_files(path: str, **options: Any) -> AsyncIterator[FileInfo]:
        yield await source.store.get_file_info("in/1")
        msg = "connection lost"
        raise BackendUnavailable(msg)

    broken = place("in", list_files=list_files)
    await broken.store.write("in/1", b"c")
    report = await copy_tree(broken, target, Policy(), notes)

    assert (report.copied, report.failed) == (1, 1)
    assert [path for path, _ in notes.failures] == ["in"]


async def test_a_defect_is_not_taken_for_a_failed_file() -> None:
    """An exception that no store raises stops the transfer."""

    async def read(path: str) -> AsyncIterator[bytes]:
        raise AttributeError
        yield b""

    source = place("in", read=read)
    await source.store.write("in/1", b"c")

    with pytest.raises(ExceptionGroup) as caught:
        await copy_tree(source, place("", "b"), Policy(), Notes())
    assert isinstance(caught.value.exceptions[0], AttributeError)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no answer", "error: a: no answer\n"),
        ("cannot read a", "error: cannot read a\n"),
        ("in/a is locked", "error: in/a is locked\n"),
        ("in/a/b is locked", "error: a: in/a/b is locked\n"),
    ],
)
async def test_a_failure_names_its_file_once(
    capsys: pytest.CaptureFixture[str], message: str, shown: str
) -> None:
    """The path is put before a message that does not name it, also where a letter of it occurs."""
    Silent().failed("a", RemoteStoreError(message))

    assert shown == capsys.readouterr().err


async def test_cancellation_leaves_no_task_and_no_part_of_a_file() -> None:
    """Cancelled in the middle: nothing new at the target, every read is closed, no task is left."""
    started, closed = asyncio.Event(), 0

    async def read(path: str) -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            yield CHUNK
            started.set()
            await asyncio.sleep(60)
            yield CHUNK
        finally:
            closed += 1

    source, target = place("in", read=read), place("", "b")
    for i in range(10):
        await source.store.write(f"in/{i}", CHUNK * 2)
    await target.store.write("1", b"old")

    task = asyncio.create_task(copy_tree(source, target, Policy(overwrite=True, jobs=3), Notes()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {asyncio.current_task()} == asyncio.all_tasks()
    assert closed == 3
    assert await paths(target.store) == ["1"]
    assert await target.store.read_bytes("1") == b"old"


async def test_a_source_that_changes_while_it_is_read() -> None:
    """Other than the announced number of bytes is no copy: the target stays as it was."""

    async def read(path: str) -> AsyncIterator[bytes]:
        yield CHUNK

    source, target = place("x", read=read), place("y", "b")
    await source.store.write("x", CHUNK * 2)
    await target.store.write("y", b"old")

    with pytest.raises(PreconditionFailed, match="1024 bytes instead of 2048"):
        await copy_file(source, target, Policy(overwrite=True), Notes())
    assert await target.store.read_bytes("y") == b"old"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("change", ["content", "metadata", "gone"])
async def test_one_version_is_copied_or_none(change: str, overwrite: bool) -> None:
    """A source that is written anew while it is read leaves the target as it was."""

    async def read(path: str) -> AsyncIterator[bytes]:
        yield CHUNK
        if change == "gone":
            await source.store.delete("x")
        else:
            content = (CHUNK if change == "content" else b"") + CHUNK.upper()
            await source.store.write("x", content[-2048:].rjust(2048), overwrite=True)
        yield CHUNK.upper()

    source, target = place("x", read=read), place("y", "b")
    await source.store.write("x", CHUNK * 2)
    if overwrite:
        await target.store.write("y", b"old")

    with pytest.raises(PreconditionFailed, match=r"x (changed|was removed) while it was copied"):
        await copy_file(source, target, Policy(overwrite=overwrite, skip_equal=False), Notes())
    assert await paths(target.store) == ["y"] * overwrite
    if overwrite:
        assert await target.store.read_bytes("y") == b"old"


async def test_a_listing_tells_all_that_failed() -> None:
    """Each folder that could not be listed is a failure of its own."""

    async def list_files(path: str, **options: Any) -> AsyncIterator[FileInfo]:
        deep = RemoteStoreError("no", path="in/c", others=(RemoteStoreError("no", path="in/d"),))
        raise RemoteStoreError(
            "no", path="in/a", others=(RemoteStoreError("no", path="in/b"), deep)
        )
        yield

    notes = Notes()
    report = await copy_tree(place("in", list_files=list_files), place("", "b"), Policy(), notes)

    assert (report.copied, report.failed) == (0, 4)
    errors: list[Any] = [error for _, error in notes.failures]
    assert [error.path for error in errors] == ["in/a", "in/b", "in/c", "in/d"]


async def test_a_target_that_swallows_bytes() -> None:
    """A store that reports another size than was sent is not believed."""

    async def write_atomic(path: str, content: Any, **options: Any) -> Any:
        async for _ in content:
            pass
        return await target.store.write("x", b"short")

    source, target = place("x"), place("y", "b", write_atomic=write_atomic)
    await source.store.write("x", CHUNK)

    with pytest.raises(RemoteStoreError, match="5 bytes after the copy, but 1024 were sent"):
        await copy_file(source, target, Policy(), Notes())


def without(*missing: Capability) -> CapabilitySet:
    return CapabilitySet(set(Capability) - set(missing))


async def test_metadata_that_the_target_cannot_keep_is_counted() -> None:
    """It is left behind, and the report says so."""
    source = place("in")
    target = place("", "b", capabilities=without(Capability.USER_METADATA))
    await source.store.write("in/x", b"", metadata={"a": "b"})
    await source.store.write("in/y", b"")

    report = await copy_tree(source, target, Policy(), Notes())

    assert (report.copied, report.metadata_left) == (2, 1)


async def test_a_plain_write_serves_where_there_is_no_atomic_one() -> None:
    """A target without ATOMIC_WRITE is written to all the same."""
    source = place("x")
    target = place("y", "b", capabilities=without(Capability.ATOMIC_WRITE))
    await source.store.write("x", b"c")

    await copy_file(source, target, Policy(), Notes())

    assert await target.store.read_bytes("y") == b"c"


async def test_stores_without_metadata_are_copied_but_never_taken_as_equal() -> None:
    """Where nothing is known, nothing is skipped unless contents are compared."""
    poor = without(Capability.METADATA)
    source, target = place("x", capabilities=poor), place("y", "b", capabilities=poor)
    await source.store.write("x", b"c")

    assert (await copy_file(source, target, Policy(), Notes())).action == "copied"
    assert ComparisonResult(equal=False, by="nothing") == await compare(
        source, target, checksum=False
    )
    assert ComparisonResult(equal=True, by="sha256") == await compare(source, target, checksum=True)


def rigged_info(opened: OpenedPath, change: Callable[[FileInfo], FileInfo]) -> OpenedPath:
    memory = AsyncMemoryBackend()

    async def get_file_info(path: str) -> FileInfo:
        return change(await memory.get_file_info(path))

    backend = Rigged(get_file_info=get_file_info)
    backend.__dict__["_memory"] = memory
    return OpenedPath(AsyncStore(backend), opened.key, opened.location)


@pytest.mark.parametrize(
    ("first", "second", "checksum", "expected"),
    [
        ("ab", "ab", False, ComparisonResult(equal=True, by="digest")),
        ("ab", "cd", False, ComparisonResult(equal=False, by="digest")),
        ("ab", "cd", True, ComparisonResult(equal=False, by="digest")),
        ("ab", None, False, ComparisonResult(equal=True, by="size and time")),
        ("ab", None, True, ComparisonResult(equal=True, by="sha256")),
    ],
)
async def test_digests_decide_where_both_have_one(
    first: str, second: str | None, checksum: bool, expected: ComparisonResult
) -> None:
    """A common digest is better than times, and spares the contents."""

    def digested(value: str | None) -> Callable[[FileInfo], FileInfo]:
        return lambda info: evolve(info, digest=ContentDigest("md5", value) if value else None)

    source = rigged_info(place("x"), digested(first))
    target = rigged_info(place("x", "b"), digested(second))
    await source.store.write("x", b"c")
    await target.store.write("x", b"c")

    assert expected == await compare(source, target, checksum=checksum)


@pytest.mark.parametrize("unknown", ["source", "target"])
async def test_an_unknown_time_proves_nothing(unknown: str) -> None:
    """Equal sizes without a known time are not taken as equal files."""

    def timeless(info: FileInfo) -> FileInfo:
        return evolve(info, modified_at=UNKNOWN_TIME)

    source, target = place("x"), place("x", "b")
    if unknown == "source":
        source = rigged_info(source, timeless)
    else:
        target = rigged_info(target, timeless)
    await source.store.write("x", b"c")
    await target.store.write("x", b"c")

    assert ComparisonResult(equal=False, by="nothing") == await compare(
        source, target, checksum=False
    )


async def test_move_keeps_a_source_that_changed_meanwhile() -> None:
    """A new version of the source that came after the read is not deleted."""
    source, target = place("x"), place("y", "b")
    await source.store.write("x", b"first")
    write_atomic = target.store._backend.write_atomic

    async def write_then_change(*args: Any, **options: Any) -> Any:
        result = await write_atomic(*args, **options)
        await source.store.write("x", b"later", overwrite=True)
        return result

    target.store._backend._members["write_atomic"] = write_then_change  # type: ignore[attr-defined]

    with pytest.raises(PreconditionFailed, match="changed while it was moved"):
        await move_file(source, target, Policy(), Notes())
    assert await source.store.read_bytes("x") == b"later"
    assert await target.store.read_bytes("y") == b"first"


@pytest.mark.parametrize("fault", ["size", "digest"])
async def test_move_verifies_what_the_stores_tell(fault: str) -> None:
    """Another size or digest than the source's keeps the source, without reading it again."""
    digest = ContentDigest("md5", "ab")
    source = rigged_info(place("x"), lambda info: evolve(info, digest=digest))
    other = {"size": 7} if fault == "size" else {"digest": ContentDigest("md5", "cd")}
    target = rigged_info(place("y", "b"), lambda info: evolve(info, **other))
    await source.store.write("x", b"right")

    with pytest.raises(PreconditionFailed, match=fault):
        await move_file(source, target, Policy(), Notes())
    assert await source.store.read_bytes("x") == b"right"


async def test_move_verifies_before_it_deletes() -> None:
    """A copy that is not what the source is keeps the source; --checksum reads both."""
    source, target = place("x"), place("y", "b")
    await source.store.write("x", b"right")
    write_atomic = target.store._backend.write_atomic

    async def write_wrong(path: str, content: Any, **options: Any) -> Any:
        async for _ in content:
            pass
        return await write_atomic(path, b"wrong", **options)

    target.store._backend._members["write_atomic"] = write_wrong  # type: ignore[attr-defined]

    with pytest.raises(PreconditionFailed, match="sha256"):
        await move_file(source, target, Policy(checksum=True), Notes())
    assert await source.store.read_bytes("x") == b"right"


async def test_move_across_file_systems_copies() -> None:
    """A store whose rename fails for the file system's sake is copied instead."""

    async def move(*args: Any, **options: Any) -> None:
        msg = "other file system"
        raise RemoteStoreError(msg) from OSError(errno.EXDEV, "cross-device")

    source = place("x", move=move)
    await source.store.write("x", b"c")
    target = OpenedPath(source.store, "y", source.location)

    await move_file(source, target, Policy(), Notes())

    assert await paths(source.store) == ["y"]


async def test_other_failures_of_a_move_are_reported() -> None:
    """Only that one reason is a reason to copy."""

    async def move(*args: Any, **options: Any) -> None:
        msg = "disk"
        raise RemoteStoreError(msg) from OSError(5, "I/O error")

    source = place("x", move=move)
    await source.store.write("x", b"c")

    with pytest.raises(RemoteStoreError, match="disk"):
        await move_file(source, OpenedPath(source.store, "y", source.location), Policy(), Notes())
    assert await paths(source.store) == ["x"]


async def test_the_report_adds_up() -> None:
    """Bytes and files of what was copied, and nothing of what was skipped."""
    source, target = place("in"), place("", "b")
    await source.store.write("in/1", CHUNK)
    await source.store.write("in/2", CHUNK)
    await target.store.write("1", CHUNK)
    notes = Notes()

    report = await copy_tree(source, target, Policy(), notes)

    assert TransferTotals(copied=1, copied_bytes=1024, skipped=report.skipped) == report
    assert dict(report.skipped) == {"size and time": 1}
    assert notes.bytes == 1024
