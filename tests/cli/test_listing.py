"""`ls`, `tree` and `info`."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from remote_store_cli._console import showing_logs
from remote_store_cli._units import human_size

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers

FILES = {"b.txt": b"bb", "a.txt": b"a", "sub/deep/z.bin": b"\x00" * 2048, "sub/y": b""}


@pytest.fixture(autouse=True)
def _seeded(servers: Servers) -> None:
    servers.seed("s", {f"top/{path}": content for path, content in FILES.items()})


def test_ls_is_sorted_and_marks_folders(cli: Cli) -> None:
    """The children of a folder come sorted by path, folders with a slash."""
    result = cli("ls", "shared://s/top")

    assert result.stdout == "a.txt\nb.txt\nsub/\n"


def test_ls_recursive_lists_files_by_relative_path(cli: Cli) -> None:
    """With -r every file below is shown, relative to the location."""
    result = cli("ls", "-r", "shared://s/top")

    assert result.stdout == "a.txt\nb.txt\nsub/deep/z.bin\nsub/y\n"


def test_ls_of_the_root(cli: Cli) -> None:
    """A URL without a path, or one that ends in a slash, is the root of its store."""
    assert cli("ls", "shared://s").stdout == "top/\n"
    assert cli("ls", "shared://s/").stdout == "top/\n"
    assert cli("ls", "shared://s/top/").stdout == "a.txt\nb.txt\nsub/\n"


def test_ls_of_a_file_shows_the_file(cli: Cli) -> None:
    """A file is a listing of one."""
    assert cli("ls", "shared://s/top/b.txt").stdout == "b.txt\n"


def test_ls_long_shows_human_sizes(cli: Cli) -> None:
    """-l adds a size for readers and a time in UTC."""
    lines = cli("ls", "-lr", "shared://s/top").stdout.splitlines()

    assert lines[2].split()[:2] == ["2.0", "KiB"]
    assert lines[2].endswith("Z  sub/deep/z.bin")


def test_ls_json_has_exact_bytes(cli: Cli) -> None:
    """JSON carries exact sizes and the kind of each entry."""
    entries = json.loads(cli("ls", "--json", "shared://s/top").stdout)

    assert [(e["path"], e["type"], e.get("size")) for e in entries] == [
        ("a.txt", "file", 1),
        ("b.txt", "file", 2),
        ("sub", "folder", None),
    ]


def test_ls_of_a_missing_folder_fails(cli: Cli) -> None:
    """What does not exist is an error, not an empty listing."""
    result = cli("ls", "shared://s/nope", code=1)

    assert result.stderr.startswith("error: no such file or folder: shared://s/nope; ")
    assert result.stdout == ""


def test_ls_of_an_empty_folder_is_empty(cli: Cli, servers: Servers) -> None:
    """A folder without children is no error."""
    servers.seed("s", {"hollow/x": b""})
    cli("rm", "shared://s/hollow/x")

    assert cli("ls", "shared://s/hollow").stdout == ""


def test_names_cannot_steer_the_terminal(cli: Cli, servers: Servers) -> None:
    """Control characters in names are escaped in text and exact in JSON."""
    servers.seed("evil", {"\x1b[31mred\n": b""})

    assert cli("ls", "shared://evil").stdout == "\\x1b[31mred\\n\n"
    assert json.loads(cli("ls", "--json", "shared://evil").stdout)[0]["path"] == "\x1b[31mred\n"


def test_tree_draws_sorted_and_counts(cli: Cli) -> None:
    """The tree is sorted, indented and summed up."""
    result = cli("tree", "shared://s/top")

    expected = (
        "shared://s/top\n"
        "├── a.txt\n"
        "├── b.txt\n"
        "└── sub/\n"
        "    ├── deep/\n"
        "    │   └── z.bin\n"
        "    └── y\n"
        "\n"
        "2 folders, 4 files\n"
    )
    assert expected == result.stdout


def test_tree_depth_limits_the_levels(cli: Cli) -> None:
    """--depth shows so many levels and does not look further."""
    result = cli("tree", "--depth", "1", "shared://s/top")

    assert "└── sub/\n\n1 folder, 2 files\n" in result.stdout
    assert "deep" not in result.stdout


def test_tree_as_json(cli: Cli) -> None:
    """Every entry with its path, folders before what is in them."""
    drawn = cli("tree", "shared://s").stdout.splitlines()
    facts = json.loads(cli("tree", "--json", "shared://s").stdout)

    assert len(facts) == len(drawn) - 3
    paths = [fact["path"] for fact in facts]
    assert paths == sorted(paths, key=lambda path: path.split("/"))
    assert {fact["type"] for fact in facts} == {"file", "folder"}


def test_tree_survives_folders_deeper_than_the_call_stack(cli: Cli, servers: Servers) -> None:
    """The walk does not recurse."""
    servers.seed("deep", {"/".join(["d"] * 1500) + "/leaf": b""})

    assert "1500 folders, 1 file\n" in cli("tree", "shared://deep").stdout


def test_info_of_a_file(cli: Cli) -> None:
    """A file shows exact and human size, and its version."""
    result = cli("info", "shared://s/top/sub/deep/z.bin")

    assert "2.0 KiB (2048 bytes)" in result.stdout
    assert "etag" in result.stdout


def test_info_of_a_folder_counts_what_is_below(cli: Cli) -> None:
    """A folder shows the number of files and their bytes."""
    facts = json.loads(cli("info", "--json", "shared://s/top").stdout)

    assert (facts["type"], facts["files"], facts["size"]) == ("folder", 4, 2051)


def test_info_shows_user_metadata(cli: Cli, servers: Servers) -> None:
    """User metadata is part of what is known of a file."""
    servers.seed("m", {"x": b""}, owner="me", kind="note")

    assert "kind=note, owner=me" in cli("info", "shared://m/x").stdout


def test_info_of_nothing_fails(cli: Cli) -> None:
    """A missing path is an error of one line."""
    assert "no such file or folder" in cli("info", "shared://s/top/nope", code=1).stderr


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (5 * 1024**3, "5.0 GiB"),
        (3 * 1024**5, "3.0 PiB"),
    ],
)
def test_human_size(size: int, text: str) -> None:
    """Sizes are in binary units with one decimal, and never show 1024 of a unit."""
    assert text == human_size(size)


def test_a_log_record_that_cannot_be_formatted_fails_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is a mistake of the plugin's, and told as it stands."""
    careless = logging.makeLogRecord(
        {"msg": "%d files", "args": ("seven",), "levelno": logging.WARNING}
    )
    with showing_logs():
        # Not by a logger: that would ask pytest's own handler, too.
        logging.getLogger().handlers[-1].handle(careless)

    assert "warning: %d files\n" == capsys.readouterr().err
