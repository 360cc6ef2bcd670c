"""The external merge sort, and the order of keys."""

from __future__ import annotations

import random

from remote_store_transfer._listing.records import key_of, path_of
from remote_store_transfer._listing.sorter import Sorter


def test_runs_on_disk_and_in_memory_are_one_order() -> None:
    """Whatever was spilled and what was not come back sorted, more than once."""
    records = [b"%06d" % i for i in range(5000)]
    sorter = Sorter(run=20_000)
    for record in random.Random(1).sample(records, len(records)):
        if sorter.add(record):
            sorter.spill()

    assert sorter.runs > 5
    assert records == list(sorter) == list(sorter)
    assert len(sorter) == 5000


def test_two_readers_do_not_disturb_each_other() -> None:
    """The runs share one file, and each reader has its own place in it."""
    sorter = Sorter(run=2_000)
    for i in range(1000):
        if sorter.add(b"%04d" % i):
            sorter.spill()
    one, other = iter(sorter), iter(sorter)
    mixed = [(next(one), next(other)) for _ in range(1000)]

    assert [a for a, _ in mixed] == [b for _, b in mixed] == [b"%04d" % i for i in range(1000)]


def test_what_lies_below_a_folder_follows_a_file_of_its_name() -> None:
    """No other name comes between, though ``!`` sorts before ``/``."""
    paths = ["a!", "a", "a/b", "a-", "a/b/c", "ä", "a\x01"]

    assert ["a", "a/b", "a/b/c", "a\x01", "a!", "a-", "ä"] == sorted(paths, key=key_of)
    assert paths == [path_of(key_of(path)) for path in paths]
