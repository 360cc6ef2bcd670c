"""Locations: what the text means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote_store_cli._location import Origin, parse
from remote_store_cli._outcome import InvalidCommand

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers


@pytest.mark.parametrize(
    ("text", "segments", "base", "folder"),
    [
        ("shared://h/a/b.txt", ("a", "b.txt"), 1, False),
        ("shared://h/a/b/", ("a", "b"), 2, True),
        ("shared://h", (), 0, False),
        ("shared://h/", (), 0, True),
        ("shared://h/a%20b/c%23d", ("a b", "c#d"), 1, False),
        ("shared:///a//./b", ("a", "b"), 1, False),
        ("@reports", (), 0, False),
        ("@reports/2024/x.csv", ("2024", "x.csv"), 0, False),
        ("@reports/2024/", ("2024",), 0, True),
    ],
)
def test_parse(text: str, segments: tuple[str, ...], base: int, folder: bool) -> None:
    """The last segment of a URL is the key, unless it ends in a slash; names have no base."""
    location = parse(text)

    assert (segments, base, folder) == (location.segments, location.base, location.folder)


@pytest.mark.parametrize(
    "text",
    ["", "a\0b", "shared://h/../x", "shared://h/a%2Fb", "local:data", "@", "@/x", "my_acme://h"],
)
def test_parse_refuses(text: str) -> None:
    """What could mean two things, or leave its folder, is refused."""
    with pytest.raises(InvalidCommand):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "azure:acct/c?sv=1&sig=TOPSECRET",
        "user:TOPSECRET@host/x",
        "my_acme://user:TOPSECRET@host/x",
        " acme://user:TOPSECRET@host/x",
        "://user:TOPSECRET@host/x",
        "a://user:TOPSECRET@host/x",
    ],
)
def test_a_mistyped_url_is_not_repeated(text: str) -> None:
    """What is no URL, but looks like one, is neither printed nor taken for a path."""
    with pytest.raises(InvalidCommand) as caught:
        parse(text)

    assert "TOPSECRET" not in str(caught.value)
    assert "TOPSECRET" in "/".join(parse(f"./{text}").segments)


def test_a_path_is_a_local_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain path means the local plugin, whatever characters it has."""
    monkeypatch.chdir(tmp_path)
    here = os.path.realpath(tmp_path).strip("/").split("/")

    location = parse("./50% off?#1")

    assert Origin("local", "", "") == location.origin
    assert (*here, "50% off?#1") == location.segments
    assert tuple(here) == parse(".").segments
    assert parse("./x/").folder
    assert not parse("./x").folder


def test_a_path_goes_through_links_as_the_system_does(tmp_path: Path) -> None:
    """``link/../x`` is next to the link's target; the last segment stays what it is."""
    (tmp_path / "far" / "dir").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "dir")

    assert parse(f"{tmp_path}/link/../x").segments[-2:] == ("far", "x")
    assert parse(f"{tmp_path}/link").name == "link"


def test_a_backslash_never_becomes_another_path(cli: Cli, servers: Servers) -> None:
    """A store would read a backslash as a slash, and remove another file."""
    servers.seed("s", {"a/b": b"precious"})

    result = cli("rm", "shared://s/a\\b", code=2)

    assert "backslash" in result.stderr
    assert servers.files("s") == {"a/b": b"precious"}
