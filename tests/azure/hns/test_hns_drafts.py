"""Temporary files: where they are, who sees them, and how they go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.azure.hns.lake import FS, MIB, Lake, collected, keys, pieces

from hns_emulator._state.clock import etag
from hns_emulator._state.tree import find
from remote_store import BackendUnavailable, InvalidPath, PreconditionFailed, StoreClosed
from remote_store_azure import AsyncAzureBackend
from remote_store_azure._datalake import staged_write as _drafts
from remote_store_objects._session import loops as _loops

pytestmark = pytest.mark.asyncio

_DAY = 24 * 3600
#: Ticks of the service in a second.
_TICKS = 10_000_000


def _age(lake: Lake, key: str, seconds: float) -> str:
    """Let a file be older than it is; return its new version."""
    node = find(lake.emulator._state.filesystems[FS], tuple(key.split("/")))
    assert node is not None
    node.changed -= int(seconds * _TICKS)
    node.created = node.changed
    return etag(node.changed)


async def test_a_draft_lies_in_the_folder_of_its_target_and_is_not_listed(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """No listing, count or pattern shows it, while it is there."""
    lake.put("a/b/other", b"x")
    seen: list[list[str]] = []
    counted: list[int] = []

    async def source() -> AsyncIterator[bytes]:
        yield b"n" * 5 * MIB
        files = set(lake.files())
        draft = files - {"a/b/other"}
        assert len(draft) == 1
        assert draft.pop().startswith("a/b/.~tmp.")
        listings = (
            backend.list_files("", recursive=True),
            backend.list_files("a/b"),
            backend.glob("**"),
            backend.glob("a/b/*"),
            backend.glob("a/b/.~tmp.*"),
            backend.iter_children("a/b"),
        )
        seen.extend([keys(await collected(found)) for found in listings])
        info = await backend.get_folder_info("")
        counted.append(info.file_count)
        yield b"n" * 4 * MIB

    await backend.write("a/b/f", source())
    assert seen == [["a/b/other"]] * 4 + [[], ["a/b/other"]]
    assert counted == [1]
    assert set(lake.files()) == {"a/b/other", "a/b/f"}


async def test_its_name_is_nobody_elses(lake: Lake, backend: AsyncAzureBackend) -> None:
    """A caller can neither make nor overwrite one."""
    lake.put("f", b"f")
    for call in (
        backend.write(".~tmp.x", b""),
        backend.write_atomic("a/.~tmp.x", b""),
        backend.write(".~tmp.a/x", b""),
        backend.move("f", ".~tmp.x"),
        backend.copy("f", "a/.~tmp.x"),
    ):
        with pytest.raises(InvalidPath, match="reserved"):
            await call


async def test_a_listing_removes_what_a_killed_writer_left(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Once it is a day old by the service's clock; younger ones stay."""
    for name in ("old", "young"):
        lake.put(f"a/.~tmp.{name}", b"rest")
    lake.put("a/f", b"f")
    lake.put("a/.~tmp", b"no draft")
    for key in ("a/.~tmp.old", "a/f", "a/.~tmp"):
        _age(lake, key, _DAY + 60)
    _age(lake, "a/.~tmp.young", _DAY - 60)

    assert keys(await collected(backend.list_files("a"))) == ["a/.~tmp", "a/f"]
    assert lake.seen()[2:] == ["DELETE dfs /a/.~tmp.old  200"]
    assert set(lake.files()) == {"a/.~tmp", "a/.~tmp.young", "a/f"}


@pytest.mark.parametrize(
    "listing",
    [
        lambda backend: collected(backend.list_files("", recursive=True)),
        lambda backend: collected(backend.list_files("", recursive=True, max_depth=3)),
        lambda backend: collected(backend.iter_children("a")),
        lambda backend: collected(backend.glob("a/*")),
        lambda backend: backend.get_folder_info(""),
    ],
)
async def test_any_listing_does(lake: Lake, backend: AsyncAzureBackend, listing: Any) -> None:
    """It meets them anyway."""
    lake.put("a/.~tmp.old", b"rest")
    _age(lake, "a/.~tmp.old", _DAY + 60)

    await listing(backend)
    assert lake.files() == {}


async def test_a_folder_with_such_a_name_stays(lake: Lake, backend: AsyncAzureBackend) -> None:
    """We make none; somebody else may have put something there."""
    lake.put(".~tmp.folder/f", b"f")
    _age(lake, ".~tmp.folder", _DAY + 60)

    assert await collected(backend.iter_children("")) == []
    assert await collected(backend.list_files("", recursive=True)) == []
    assert lake.files() == {".~tmp.folder/f": b"f"}


@pytest.mark.parametrize(
    ("date", "left"),
    [
        ("Fri, 01 Jan 2100 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 1),
        ("no date", 1),
        (None, 1),
    ],
)
async def test_the_age_is_by_the_services_clock(
    lake: Lake, backend: AsyncAzureBackend, date: str | None, left: int
) -> None:
    """A machine whose clock is wrong removes nobody's temporary file."""
    lake.put(".~tmp.young", b"rest")
    await backend.exists("a")

    async def after(request: Any, answer: Any) -> Any:
        answer.headers.pop("Date", None)
        if date is not None:
            answer.headers["Date"] = date
        return answer

    lake.transport.after = after
    await collected(backend.list_files(""))
    assert len(lake.files()) == left


async def test_a_sweep_removes_all_of_them(lake: Lake, backend: AsyncAzureBackend) -> None:
    """As many as there are, below its folder; a dry run looks alone, an age is heeded."""
    old = {f"a/d{n % 3}/.~tmp.{n:02}" for n in range(20)}
    for key in (*old, "a/f", "other/.~tmp.old"):
        lake.put(key, b"rest")
        _age(lake, key, 3600)
    files = set(lake.files())
    told: list[str] = []

    assert await backend.sweep("a") == 0
    age = timedelta(minutes=30)
    assert await backend.sweep("a", older_than=age, dry_run=True, found=told.append) == 20
    assert set(lake.files()) == files
    assert set(told) == old
    assert await backend.sweep("a", older_than=age) == 20
    assert set(lake.files()) == {"a/f", "other/.~tmp.old"}
    assert await backend.sweep("none", older_than=age) == 0


async def test_a_sweep_tells_what_it_cannot_remove(lake: Lake, backend: AsyncAzureBackend) -> None:
    """Unlike a listing, which is there for something else."""
    lake.put("a/.~tmp.old", b"rest")
    _age(lake, "a/.~tmp.old", _DAY + 60)
    lake.emulator.fault("busy", method="DELETE", times=100)

    with pytest.raises(BackendUnavailable):
        await backend.sweep()
    assert set(lake.files()) == {"a/.~tmp.old"}


async def test_one_that_changes_after_it_was_listed_stays(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Its writer lives after all."""
    lake.put(".~tmp.old", b"rest")
    _age(lake, ".~tmp.old", _DAY + 60)
    await backend.exists("a")

    async def before(request: Any) -> None:
        if request.method == "DELETE":
            lake.put(".~tmp.old", b"alive")

    lake.transport.before = before
    assert await collected(backend.list_files("")) == []
    assert lake.files() == {".~tmp.old": b"alive"}


async def test_what_cannot_be_removed_does_not_disturb_the_listing(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Nor is it tried with each of many."""
    for number in range(5):
        lake.put(f".~tmp.{number}", b"rest")
        _age(lake, f".~tmp.{number}", _DAY + 60)
    lake.put("f", b"f")
    lake.emulator.fault("busy", method="DELETE", times=100)

    assert keys(await collected(backend.list_files(""))) == ["f"]
    assert len([s for s in lake.seen() if s.startswith("DELETE")]) == 3  # attempts of one request


async def test_one_listing_removes_a_bounded_number(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The next one goes on."""
    for number in range(20):
        lake.put(f".~tmp.{number}", b"rest")
        _age(lake, f".~tmp.{number}", _DAY + 60)

    await collected(backend.list_files(""))
    assert len(lake.files()) == 4
    await collected(backend.list_files(""))
    assert lake.files() == {}


async def test_a_writer_that_takes_long_shows_that_it_lives(
    lake: Lake, backend: AsyncAzureBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From time to time an append flushes, which costs no request more."""
    monkeypatch.setattr(_drafts, "SIGN_OF_LIFE", -1)
    await backend.write("f", pieces(*[b"x" * 4 * MIB] * 3), overwrite=True)

    appends = [s for s in lake.seen() if "append" in s]
    assert len(appends) == 3
    assert all("flush=true" in s for s in appends)
    assert lake.files() == {"f": b"x" * 12 * MIB}


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_draft_that_somebody_removes_is_an_error(lake: Lake, concurrency: int) -> None:
    """A folder that is deleted under a writer takes its temporary file along."""
    backend = lake.backend(max_concurrency=concurrency)

    async def source(count: int) -> AsyncIterator[bytes]:
        for number in range(4):
            if number == count:
                lake.remove("a")
            yield b"n" * 4 * MIB

    for count in (2, 3):
        with pytest.raises(PreconditionFailed, match="nothing was written") as caught:
            await backend.write("a/f", source(count))
        assert not caught.value.outcome_unknown
        assert caught.value.path == "a/f"
    assert lake.files() == {}
    await backend.aclose()


async def test_what_stays_behind_is_told(
    lake: Lake, backend: AsyncAzureBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that fails and cannot remove its temporary file logs its name."""
    lake.put("f", b"old")
    lake.emulator.fault("busy", method="DELETE", times=10)

    with caplog.at_level(logging.WARNING), pytest.raises(FileExistsError):
        await backend.write_atomic("f", b"new")
    left = set(lake.files()) - {"f"}
    assert len(left) == 1
    assert left.pop() in caplog.text


async def test_a_close_removes_what_its_writer_cannot(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The writer waits for content, for which nobody else waits; later it gets StoreClosed."""
    monkeypatch.setattr(_loops, "_GRACE", 0.1)
    backend = lake.backend()
    waiting, go = asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield b"x" * 5 * MIB
        waiting.set()
        await go.wait()
        yield b"y" * 5 * MIB

    writing = asyncio.create_task(backend.write("a/f", source()))
    await waiting.wait()
    assert len(lake.files()) == 1
    await backend.aclose()
    assert lake.files() == {}
    assert not writing.done()
    go.set()
    with pytest.raises(StoreClosed):
        await writing
    assert lake.files() == {}
    assert caplog.text == ""


@pytest.mark.long
@pytest.mark.parametrize("query", ["resource=file", "action=append", "mode=legacy"])
async def test_a_close_that_ends_a_request_removes_the_draft(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    """Whichever it is; a second close that comes meanwhile waits for the same removal."""
    monkeypatch.setattr(_loops, "_GRACE", 0.1)
    lake.put("a/f", b"old")
    backend = lake.backend()
    begun = asyncio.Event()

    async def before(request: Any) -> None:
        if query in request.url:
            begun.set()
            await asyncio.Event().wait()

    await backend.exists("a")
    lake.transport.before = before
    writing = asyncio.create_task(backend.write("a/f", pieces(b"new"), overwrite=True))
    await begun.wait()
    lake.emulator.fault("stall", method="DELETE", seconds=0.3)
    closing = asyncio.create_task(backend.aclose())
    await asyncio.sleep(0.2)
    await asyncio.gather(closing, backend.aclose())
    with pytest.raises(StoreClosed) as caught:
        await writing
    assert caught.value.outcome_unknown is (query == "mode=legacy")
    assert lake.files() == {"a/f": b"old"}
    assert caplog.text == ""


async def test_a_close_does_not_wait_for_ever(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A removal that gets no answer is given up, and what stays is told."""
    monkeypatch.setattr(_loops, "_GRACE", 0.1)
    monkeypatch.setattr(_loops, "_TIDYING", 0.2)
    backend = lake.backend()
    go = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield b"x" * 5 * MIB
        go.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(backend.write("a/f", source()))
    await go.wait()
    lake.emulator.fault("stall", method="DELETE", seconds=5, times=10)
    tasks = asyncio.all_tasks()
    begin = asyncio.get_running_loop().time()
    await backend.aclose()
    assert asyncio.get_running_loop().time() - begin < 3
    assert asyncio.all_tasks() <= tasks
    left = set(lake.files())
    assert len(left) == 1
    assert left.pop() in caplog.text
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
async def test_a_key_as_long_as_keys_can_be(
    lake: Lake,
    backend: AsyncAzureBackend,
    caplog: pytest.LogCaptureFixture,
    *,
    over: bool,
    atomic: bool,
) -> None:
    """A temporary name that would be too long beside its target lies further up."""
    key = "a/" + "b" * 1000 + "/" + "c" * 21
    assert len(key) == 1024
    if over:
        lake.put(key, b"old")
    content = b"new" if atomic else pieces(b"n", b"ew")
    write = backend.write_atomic if atomic else backend.write
    await write(key, content, overwrite=over)
    assert lake.files() == {key: b"new"}
    assert caplog.text == ""


async def test_a_long_key_below_a_file(lake: Lake, backend: AsyncAzureBackend) -> None:
    """The wrong type is found by the rename then, and the temporary file goes."""
    above = "a/" + "b" * 1000
    lake.put(above, b"file")
    with pytest.raises(InvalidPath, match="exists as a file"):
        await backend.write_atomic(f"{above}/c", b"new")
    assert lake.files() == {above: b"file"}
    lake.emulator.unverified.clear()


async def test_what_was_never_made_is_not_removed(
    lake: Lake, backend: AsyncAzureBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A definite refusal to create it leaves nothing to be tidied up, and nothing to be told."""
    await backend.exists("a")

    async def after(request: Any, answer: Any) -> Any:
        if "resource=file" in request.url:
            answer.status_code = 400
            answer.headers["x-ms-error-code"] = "InvalidInput"
            lake.remove("a")
        return answer

    lake.seen()
    lake.transport.after = after
    with pytest.raises(Exception, match="refused the request"):
        await backend.write_atomic("a/f", b"new")
    assert [line for line in lake.seen() if line.startswith("DELETE")] == []
    assert caplog.text == ""


async def test_many_writers_of_one_folder_do_not_disturb_each_other(
    lake: Lake, backend: AsyncAzureBackend
) -> None:
    """Each has a temporary file of its own."""
    await asyncio.gather(
        *(backend.write_atomic(f"a/{n}", b"%d" % n, overwrite=True) for n in range(20))
    )
    assert lake.files() == {f"a/{n}": b"%d" % n for n in range(20)}


async def test_the_age_is_a_day() -> None:
    """As documented."""
    assert timedelta(seconds=_drafts.STALE) == timedelta(days=1)
