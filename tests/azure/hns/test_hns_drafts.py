"""Temporary files: where they are, who sees them, and how they go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.azure.hns.lake import FS, MIB, Lake, collected, keys, pieces

from hns_emulator._clock import etag
from hns_emulator._nodes import find
from remote_store import InvalidPath, PreconditionFailed
from remote_store_azure import AsyncAzureBackend, _drafts

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
