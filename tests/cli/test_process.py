"""The installed command as a process of its own, on the local plugin: what a shell sees."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Installed

pytestmark = pytest.mark.slow

BROKEN = """
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    async def get_file_info(self, path):
        raise LookupError("a defect of the plugin")

    async def is_file(self, path):
        return True
"""


def everything_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["ls", "."], 0),
        (["cat", "missing"], 1),
        (["cat", "local:///no/such/folder/x"], 1),
        (["ls"], 2),
        (["ls", "--no-such-option", "."], 2),
        (["nonsense"], 2),
        (["ls", "local:data"], 2),
        (["rm", "-r", "local:///"], 2),
        (["cp", "x", "y", "--jobs", "0"], 2),
        (["ls", "nonesuch://x"], 3),
    ],
)
def test_exit_codes(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    """The documented exit codes, and never a traceback."""
    (tmp_path / "f").write_bytes(b"")
    monkeypatch.chdir(tmp_path)

    assert (code != 0) == bool(cli(*arguments, code=code).stderr)


def test_exit_codes_of_the_process(installed: Installed, tmp_path: Path) -> None:
    """The console script ends with the code of the command."""
    for arguments, code in ((["ls", "."], 0), (["cat", "missing"], 1), (["nonsense"], 2)):
        got, _, err = installed.run(*arguments, cwd=tmp_path)
        assert code == got, err
        assert "Traceback" not in err
        assert (code != 0) == bool(err)


def test_a_copy_on_the_local_plugin(installed: Installed, tmp_path: Path) -> None:
    """A tree arrives byte for byte, a second run skips it, and odd names are no obstacle."""
    files = {"a": b"a", "sub/50% off?#1": os.urandom(3_000_000), "sub/d/ü": b""}
    for name, content in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    first = installed.run("cp", "-r", "in", "out", cwd=tmp_path)
    second = installed.run("cp", "-r", "in", f"local://{tmp_path}/out/", cwd=tmp_path)

    assert first == (0, b"", "copied 3 files (2.9 MiB)\n")
    assert second[2] == "copied 0 files (0 B); skipped 3 equal files\n"
    assert sorted(files) == everything_below(tmp_path / "out")
    for name, content in files.items():
        assert content == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "no/such/folder"],
        ["cat", "no/such/file"],
        ["info", "no/such/file"],
        ["tree", "local://{}/no/such/"],
        ["rm", "-r", "no/such/folder"],
        ["rm", "--missing-ok", "no/such/file"],
        ["cp", "no/such/file", "new/folder/x"],
        ["mv", "no/such/file", "new/folder/x"],
    ],
)
def test_looking_creates_no_folder(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A location that is read, or whose source is missing, leaves the disk as it was."""
    work = tmp_path / "work"
    work.mkdir()

    monkeypatch.chdir(work)

    cli(*[a.format(work) for a in arguments], code="--missing-ok" not in arguments)

    assert list(work.iterdir()) == []


def test_a_defect_of_a_plugin_is_shown_as_one(installed: Installed) -> None:
    """An exception that is nobody's mistake keeps its traceback, without the values in it."""
    installed.add("broken-store", "broken = broken_store:Backend", broken_store=BROKEN)

    code, _, err = installed.run("info", "broken:///x", "-o", "password=hunter22", "-o", "a=b")
    assert code == 2
    assert "hunter22" not in err

    code, _, err = installed.run("info", "broken:///x")
    assert code == 1
    assert "LookupError: a defect of the plugin" in err


def test_a_plugin_that_is_no_backend(installed: Installed) -> None:
    """A class that lacks the protocol's members is a plugin problem of one line."""
    source = "class Backend:\n    def __init__(self, **options): pass\n"
    installed.add("odd-store", "odd = odd_store:Backend", odd_store=source)

    code, _, err = installed.run("ls", "odd:///x")

    assert code == 3
    assert "Backend is no backend: it lacks name" in err
    assert err.count("\n") == 1


def odd_names(folder: Path) -> None:
    """Make a folder with a file, a subfolder and names that no path in a store can have."""
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "f").write_bytes(b"f")
    (folder / "back\\slash").write_bytes(b"b")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"x")


@pytest.mark.long
def test_names_that_are_left_out_are_a_failure(installed: Installed, tmp_path: Path) -> None:
    """A copy that is not whole does not end with 0, and the log is shown as a warning."""
    odd_names(tmp_path / "in")

    code, _, err = installed.run("cp", "-r", "in", "out", cwd=tmp_path)
    quiet = installed.run("cp", "-r", "-q", "in", "quiet", cwd=tmp_path)
    within = installed.run("cp", "-r", "in/sub", "whole", cwd=tmp_path)

    warned, summary = err.splitlines()
    assert code == 1
    assert warned.startswith("warning: ")
    assert summary == "copied 1 file (1 B); names that no path can have left out"
    assert (quiet[0], quiet[2].count("\n")) == (1, 1)
    assert within == (0, b"", "copied 1 file (1 B)\n")


def test_a_root_that_is_not_emptied_is_a_failure(installed: Installed, tmp_path: Path) -> None:
    """What a listing does not show is not removed, and that is said."""
    odd_names(tmp_path / "in")

    code, _, err = installed.run("rm", "-r", "--yes", f"local://{tmp_path}/in/")

    assert code == 1
    assert err.startswith("warning: ")
    assert len(list((tmp_path / "in").iterdir())) == 2


def test_a_value_error_of_a_plugin_is_one_line(installed: Installed, tmp_path: Path) -> None:
    """A name or metadata that a backend refuses is no defect: in one copy as in many."""
    source = """
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    async def write(self, path, content, **options):
        raise ValueError("metadata key 'a-b' is no identifier")
"""
    installed.add("picky-store", "picky = picky_store:Backend", picky_store=source)
    (tmp_path / "f").write_bytes(b"content")

    one = installed.run("cp", "f", "picky://", cwd=tmp_path)
    many = installed.run("cp", "-r", ".", "picky://", cwd=tmp_path)

    assert one == (
        1,
        b"",
        "error: f: metadata key 'a-b' is no identifier\n",
    )
    assert many[0] == 1
    assert "error: f: metadata key 'a-b' is no identifier\n" in many[2]
