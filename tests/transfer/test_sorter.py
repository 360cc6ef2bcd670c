"""The external merge sort, and the order of keys."""

from __future__ import annotations

import gc
import pickle
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from remote_store import UNKNOWN_TIME, ContentDigest, FileInfo, RemotePath
from remote_store_transfer._listing.records import (
    Seen,
    action_of,
    actions,
    key_of,
    path_of,
    planned,
    seen_of,
)
from remote_store_transfer._listing.sorter import Sorter
from remote_store_transfer._values import Action, Kind, Version


def numbers(run: int) -> Sorter[int]:
    """Return a sorter of numbers, of 50 bytes each."""
    return Sorter(lambda number: number, lambda number: 50, run)


def test_runs_on_disk_and_in_memory_are_one_order() -> None:
    """Whatever was spilled and what was not come back sorted, more than once."""
    records = list(range(5010))
    sorter = numbers(run=20_000)
    for record in random.Random(1).sample(records, len(records)):
        if sorter.add(record):
            sorter.spill()

    assert sorter.runs == 12
    assert records == list(sorter) == list(sorter)
    assert len(sorter) == 5010


def test_records_of_one_place_stay_as_they_came() -> None:
    """In memory and over all runs, so that the first one of a name is told from a second one."""
    sorter: Sorter[tuple[str, int]] = Sorter(lambda record: record[0], lambda record: 100, 5_000)
    for i in range(500):
        if sorter.add(("ab"[i % 2], i)):
            sorter.spill()

    assert sorter.runs > 5
    assert [i for _, i in sorter] == [*range(0, 500, 2), *range(1, 500, 2)]


def test_the_more_runs_the_less_of_each_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a merge holds in memory hardly grows with what is on the disk."""
    loads = pickle.loads
    held: list[int] = []

    def counted(block: bytes) -> list[int]:
        records: list[int] = loads(block)
        held[-1] += len(records)
        return records

    monkeypatch.setattr(pickle, "loads", counted)
    for runs in (16, 160):
        sorter = numbers(run=0)
        for i in range(runs * 200):
            sorter.add(i)
            if i % 200 == 199:
                sorter.spill()
        held.append(0)
        next(iter(sorter))

    few, many = held
    assert few == 16 * 128
    assert few < many < 4 * few


def test_two_readers_do_not_disturb_each_other() -> None:
    """The runs share one file, and each reader has its own place in it."""
    sorter = numbers(run=2_000)
    for i in range(1000):
        if sorter.add(i):
            sorter.spill()
    one, other = iter(sorter), iter(sorter)
    mixed = [(next(one), next(other)) for _ in range(1000)]

    assert [a for a, _ in mixed] == [b for _, b in mixed] == list(range(1000))


def test_what_lies_below_a_folder_follows_a_file_of_its_name() -> None:
    """No other name comes between, though ``!`` sorts before ``/``."""
    paths = ["a!", "a", "a/b", "a-", "a/b/c", "ä", "a\x01"]

    assert ["a", "a/b", "a/b/c", "a\x01", "a!", "a-", "ä"] == sorted(paths, key=key_of)
    assert paths == [path_of(key_of(path)) for path in paths]


def test_what_is_made_the_fast_way_is_as_any_other() -> None:
    """Frozen, and equal to what the constructor makes."""
    time, digest = datetime(2026, 1, 1, tzinfo=UTC), ContentDigest("md5", "aa")
    info = FileInfo(RemotePath("a"), "a", 3, time, digest, "e", "text/plain", {"k": "v"})
    bare = FileInfo(RemotePath("a"), "a", 4, UNKNOWN_TIME)
    record = planned("replace", 3, "why", seen_of("d/a", info), seen_of("d/a", bare), by_size=True)
    action = action_of(record)

    seen = Version(3, time, "e", digest, {"k": "v"})
    assert Action("replace", "d/a", 3, "why", seen, Version(4)) == action
    made: list[Any] = [action, action.source]
    for one in made:
        with pytest.raises(FrozenInstanceError):
            one.size = 4
        with pytest.raises(FrozenInstanceError):
            del one.size


def test_deletions_come_last_and_large_files_first() -> None:
    """Or, by name, only the deletions have another place; a tie is left to the name."""

    def seen(path: str, size: int) -> Seen:
        return key_of(path), size, None, None, None, None

    given: list[tuple[Kind, int, Seen | None, Seen | None]] = [
        ("delete", 0, None, seen("a", 2)),
        ("skip", 0, seen("b", 2), seen("b", 2)),
        ("copy", 1, seen("c/x", 1), None),
        ("copy", 1, seen("c-", 1), None),
        ("replace", 2, seen("d", 2), seen("d", 1)),
        ("conflict", 0, seen("e", 2), None),
    ]
    found = []
    for by_size in (True, False):
        sorter = actions()
        for kind, size, source, target in reversed(given):
            sorter.add(planned(kind, size, "", source, target, by_size=by_size))
        found.append([(action.path, action.size) for action in map(action_of, sorter)])

    assert [("d", 2), ("c/x", 1), ("c-", 1), ("b", 0), ("e", 0), ("a", 0)] == found[0]
    assert [("b", 0), ("c/x", 1), ("c-", 1), ("d", 2), ("e", 0), ("a", 0)] == found[1]


def test_what_is_kept_is_nothing_for_the_collector() -> None:
    """It would look at each record again and again, which took a fifth of the time of a plan."""
    info = FileInfo(RemotePath("d/a"), "a", 3, datetime.now(UTC), None, "e")
    file = seen_of("d/a", info)
    gc.collect(0)
    action = planned("skip", 0, "equal: time", file, file, by_size=True)
    gc.collect(0)

    assert not gc.is_tracked(file)
    assert not gc.is_tracked(action)
