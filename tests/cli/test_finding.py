"""`find` and `du`, and the filters that all commands share."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from remote_store_cli._outcome import InvalidCommand
from remote_store_cli._selection import Which, age

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers

TREE = {"in/a.csv": b"a", "in/s p/b.csv": b"b" * 2000, "in/s p/c/d.txt": b"dd"}


@pytest.fixture(autouse=True)
def _seeded(servers: Servers) -> None:
    servers.seed("s", TREE)


def test_find_prints_what_could_be_given_again(cli: Cli) -> None:
    """Locations as the user would write them, escaped in URLs."""
    found = cli("find", "shared://s/in", "--include", "*.csv").stdout.splitlines()

    assert sorted(found) == ["shared://s/in/a.csv", "shared://s/in/s%20p/b.csv"]
    assert b"b" * 2000 == cli("cat", "shared://s/in/s%20p/b.csv").stdout_bytes


def test_find_in_its_other_forms(cli: Cli) -> None:
    """Long, with NUL, as JSON, of a file, and of nothing."""
    assert "2.0 KiB" in cli("find", "-l", "shared://s/in", "--min-size", "1K").stdout
    assert cli("find", "-0", "shared://s/in/a.csv").stdout == "shared://s/in/a.csv\0"
    (facts,) = json.loads(cli("find", "--json", "shared://s/in", "--max-size", "1").stdout)
    assert (facts["location"], facts["size"]) == ("shared://s/in/a.csv", 1)
    both = cli("find", "shared://s/none", "shared://s/in/a.csv", code=1)
    assert both.stdout == "shared://s/in/a.csv\n"
    assert "no such file" in both.stderr


def test_du_adds_up_what_is_below(cli: Cli) -> None:
    """Each folder with what is below it, its own sum last."""
    rows = [line.split(maxsplit=2) for line in cli("du", "shared://s/in").stdout.splitlines()]

    assert [(f"{n} {unit}", name) for n, unit, name in rows] == [
        ("2 B", "shared://s/in/s%20p/c"),
        ("2.0 KiB", "shared://s/in/s%20p"),
        ("2.0 KiB", "shared://s/in"),
    ]
    assert 2 == cli("du", "-d", "1", "shared://s/in").stdout.count("\n")
    (facts,) = json.loads(cli("du", "-s", "--json", "shared://s/in").stdout)
    assert facts == {"location": "shared://s/in", "size": 2003, "files": 3}
    assert cli("du", "-s", "shared://s/in", "--exclude", "s p/").stdout.startswith("       1 B")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["a.csv", "x/b.csv", "x/y/c.csv"]),
        ("/*.csv", ["a.csv"]),
        ("x/*.csv", ["x/b.csv"]),
        ("y/", ["x/y/c.csv"]),
        ("/y/", []),
        ("x/y/", ["x/y/c.csv"]),
        ("**/y/*", ["x/y/c.csv"]),
    ],
)
def test_patterns(cli: Cli, servers: Servers, pattern: str, found: list[str]) -> None:
    """Without a slash a name at any depth, else a path from the top."""
    servers.seed("p", {"a.csv": b"", "x/b.csv": b"", "x/y/c.csv": b"", "other": b""})

    shown = cli("find", "shared://p/", "--include", pattern).stdout.splitlines()

    assert [f"shared://p/{path}" for path in found] == sorted(shown)


def test_times_and_sizes(cli: Cli) -> None:
    """Ages, days, times of this machine's zone; binary units."""
    now = datetime.now(UTC)
    options = Which(newer="36h", min_size="1.5K", max_size="2GiB").selection().options
    assert abs(now - timedelta(hours=36) - options["newer"]) < timedelta(seconds=5)
    assert (options["min_size"], options["max_size"]) == (1536, 2 << 30)
    naive = Which(newer="2026-01-31T08:00").selection().options["newer"]
    assert naive == datetime(2026, 1, 31, 8).astimezone()
    assert age("--older-than", "1.5h") == timedelta(minutes=90)
    assert cli("find", "shared://s/in", "--newer", "1h").stdout.count("\n") == 3


@pytest.mark.parametrize(
    "options",
    [
        ("--newer", "soon"),
        ("--newer", "9999999999999w"),
        ("--min-size", "big"),
        ("--min-size", "2K", "--max-size", "1K"),
        ("--exclude", "a/../b"),
    ],
)
def test_filters_that_are_none(cli: Cli, options: tuple[str, ...]) -> None:
    """One line that says what to write."""
    result = cli("find", "shared://s/in", *options, code=2)

    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    with pytest.raises(InvalidCommand):
        age("--older-than", "9" * 400 + "w")
