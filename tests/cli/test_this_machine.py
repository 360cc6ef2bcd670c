"""Folders of this machine that refuse, links that are named, and links that are met."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote_store_cli._location import parse
from remote_store_local._fs.folder import OpenFolder
from remote_store_local._fs.resolve import Root

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

READABLE = [f"{folder}/{name}" for folder in ("a", "c/d") for name in "123"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def locked(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable files beside two folders that refuse, whoever runs the tests."""
    for key in (*READABLE, "b/locked/1", "locked/1"):
        (here / "in" / key).parent.mkdir(parents=True, exist_ok=True)
        (here / "in" / key).write_bytes(b"12")
    open_folder = Root.open_folder

    def refuse(self: Root, key: str, *, listing: bool = False) -> OpenFolder:
        if listing and key.endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), key)
        return open_folder(self, key, listing=listing)

    monkeypatch.setattr(Root, "open_folder", refuse)


def files(folder: Path) -> list[str]:
    """Return the paths of all files below a folder."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("flag", ["-r", "-R"])
def test_cp_copies_what_can_be_read(cli: Cli, here: Path, flag: str) -> None:
    """Each folder that refuses is told and counted; the rest is copied."""
    result = cli("cp", flag, "in", "out", code=1)

    assert READABLE == files(here / "out")
    assert "in/b/locked: Permission denied; " in result.stderr
    assert "in/locked: Permission denied; " in result.stderr
    assert result.stderr.endswith("copied 6 files (12 B); 2 failed\n")
    assert 3 == result.stderr.count("\n")


@pytest.mark.usefixtures("locked")
def test_ls_and_tree_show_what_can_be_read(cli: Cli) -> None:
    """All else is printed before the failures are told."""
    listed = cli("ls", "-r", "in", code=1)
    drawn = cli("tree", "in", code=1)

    assert READABLE == listed.stdout.splitlines()
    assert drawn.stdout.endswith("\n6 folders, 6 files\n")
    for told in (listed.stderr, drawn.stderr):
        assert 2 == told.count("error: ") == told.count("\n")
        assert "in/b/locked: Permission denied; " in told
    assert 1 == cli("ls", "in/locked", code=1).stderr.count("error: ")


@pytest.mark.usefixtures("locked")
def test_info_tells_every_folder_that_it_could_not_count(cli: Cli) -> None:
    """A sum of a part is no answer."""
    result = cli("info", "in", code=1)

    assert ("", 2) == (result.stdout, result.stderr.count("error: "))


@pytest.fixture
def links(here: Path) -> Path:
    """Links out of the working directory, and one back up to it."""
    far = here.parent / "far"
    (far / "folder" / "sub").mkdir(parents=True)
    (far / "folder" / "f").write_bytes(b"f")
    (far / "file").write_bytes(b"file")
    (here / "to-folder").symlink_to(far / "folder")
    (here / "to-file").symlink_to(far / "file")
    (here / "dangling").symlink_to("nowhere")
    (here / "own").mkdir()
    (here / "own" / "x").write_bytes(b"x")
    (here / "own" / "up").symlink_to("..")
    return far


@pytest.mark.parametrize("form", ["{}", "local://{here}/{}", "file://{here}/{}"])
def test_a_link_that_is_named_is_followed(cli: Cli, here: Path, links: Path, form: str) -> None:
    """The user who names it has named no root that it could leave."""

    def location(name: str) -> str:
        return form.format(name, here=here)

    assert "f\nsub/\n" == cli("ls", location("to-folder")).stdout
    assert b"file" == cli("cat", location("to-file")).stdout_bytes
    assert f"native path  {links}/file\n" in cli("info", location("to-file")).stdout
    assert "1 folder, 1 file" in cli("tree", location("to-folder")).stdout
    cli("cp", location("to-file"), "copied/")
    assert b"file" == (here / "copied" / "to-file").read_bytes()
    cli("cp", "own/x", location("to-folder"))
    assert b"x" == (links / "folder" / "x").read_bytes()
    cli("cp", "-r", location("to-folder"), "all")
    assert ["f", "x"] == files(here / "all")
    assert "no such file" in cli("ls", location("dangling"), code=1).stderr


def test_a_link_keeps_its_name(links: Path, here: Path) -> None:
    """The path is where it leads, the name what was written."""
    location = parse("to-file")

    assert ("to-file", "file") == (location.name, location.segments[-1])
    assert "to-file" == parse("to-file", follow=False).segments[-1]
    assert "dangling" == parse("dangling").segments[-1]
    assert links.parts[1:] == parse("to-folder/..").segments


@pytest.mark.parametrize("form", ["{}", "local://{here}/{}"])
@pytest.mark.parametrize("name", ["to-folder", "to-file", "dangling", "own/up"])
def test_rm_removes_the_link_itself(
    cli: Cli, here: Path, links: Path, form: str, name: str
) -> None:
    """What it leads to stays."""
    before = files(links)
    cli("rm", form.format(name, here=here))

    assert not (here / name).is_symlink()
    assert before == files(links)
    assert (here / "own" / "x").exists()
    cli("rm", "--missing-ok", form.format(name, here=here))


@pytest.mark.usefixtures("links")
def test_links_that_are_met_are_told_and_not_entered(cli: Cli, here: Path) -> None:
    """A recursive command ends, and says what it left out; that is no failure."""
    for command in (["ls", "-r", "own"], ["tree", "own"], ["cp", "-r", "own", "out"]):
        result = cli(*command)
        assert 1 == result.stderr.count("warning: ")
        assert "link" in result.stderr

    assert (
        "copied 1 file (1 B); 1 link left out, see --links"
        in cli("cp", "-r", "own", "again").stderr
    )
    assert "own\n├── up/\n└── x\n\n1 folder, 1 file\n" == cli("tree", "own").stdout
    assert "" == cli("tree", "--depth", "1", "own").stderr
    assert ["x"] == files(here / "out")


def test_a_tilde_is_what_it_is_to_a_shell(
    cli: Cli, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the beginning it is the home; elsewhere, and of nobody, it is a character."""
    (here / "~").mkdir()
    (here / "~" / "f").write_bytes(b"tilde")
    (tmp_path / "f").write_bytes(b"home")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert b"home" == cli("cat", "~/f").stdout_bytes
    assert b"tilde" == cli("cat", "./~/f").stdout_bytes
    assert "~no-such-user" == parse("~no-such-user").name
    cli("cp", "~/f", "~/copies/")
    assert (tmp_path / "copies" / "f").exists()


@pytest.mark.parametrize("links", ["report", "follow", "skip"])
def test_links_to_folders_are_told_entered_or_skipped(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: str
) -> None:
    """By all that look below folders; a link that leads back up is never entered."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "top" / "real").mkdir(parents=True)
    (tmp_path / "top" / "real" / "f").write_bytes(b"12")
    (tmp_path / "top" / "link").symlink_to("real")
    (tmp_path / "top" / "real" / "up").symlink_to("..")
    through = ["link/f"] if links == "follow" else []

    found = cli("find", "--links", links, "top")
    listed = cli("ls", "-r", "--links", links, "top")
    used = cli("du", "-s", "--links", links, "top")

    assert sorted(found.stdout.split()) == [f"top/{path}" for path in (*through, "real/f")]
    assert listed.stdout.split() == [*through, "real/f"]
    assert used.stdout.split()[0] == str(2 * (1 + len(through)))
    for said in (found.stderr, listed.stderr, used.stderr):
        assert ("links" in said) == (links == "report")
        assert said.count("leads back up") == (2 if links == "follow" else 0)


@pytest.mark.parametrize(
    "command",
    [
        *("cat in/f", "check in same", "cp -r in out", "cp -nr in out", "du in", "find in"),
        *("info in", "ls in", "ls -r in", "mv -r in out", "rm -rn in", "sync in out", "tree in"),
    ],
)
@pytest.mark.parametrize("odd", [True, False])
def test_names_that_are_left_out_make_every_command_fail(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, *, odd: bool
) -> None:
    """What a listing could not show is missing from whatever the command says or does."""
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "same"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "f").write_bytes(b"content")
    if odd:
        (tmp_path / "in" / "back\\slash").touch()
    lists = not command.startswith("cat")

    result = cli(*command.split(), code=1 if odd and lists else 0)

    assert ("names that no path can have" in result.stderr) == (odd and lists)
