"""Readers that go away, disks that are full, and streams that are closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Installed

pytestmark = pytest.mark.slow

BUFFERED = pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="buffered"),
        pytest.param({"PYTHONUNBUFFERED": "1"}, id="not", marks=pytest.mark.long),
    ],
)


@BUFFERED
@pytest.mark.parametrize("command", ["cat", "ls"])
def test_a_closed_pipe_ends_a_command_as_others(
    installed: Installed, tmp_path: Path, command: str, env: dict[str, str]
) -> None:
    """A reader that has seen enough ends the command as SIGPIPE would, without a word."""
    if command == "cat":
        (tmp_path / "big").write_bytes(b"x" * 5_000_000)
        arguments = ["cat", "big"]
    else:
        for i in range(3000):
            (tmp_path / f"{i:04}{'x' * 60}").touch()
        arguments = ["ls", "."]

    with installed.start(*arguments, cwd=tmp_path, env=env) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read(1)
        child.stdout.close()
        err = child.stderr.read()
        child.wait(timeout=30)

    assert (child.returncode, err) == (141, b"")


@pytest.mark.long
@BUFFERED
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["ls", "."], 141), (["doctor"], 3), (["backends", "--capabilities"], 3), (["cat", "no"], 1)],
)
def test_a_pipe_that_nobody_reads_hides_no_problem(
    installed: Installed, tmp_path: Path, arguments: list[str], code: int, env: dict[str, str]
) -> None:
    """Output that is still buffered at the end is dropped; what is wrong has its exit code."""
    installed.add("acme-store", "acme = acme_store:Backend", acme_store="import no_such_sdk")
    reader, writer = os.pipe()
    os.close(reader)

    got, _, err = installed.run(*arguments, cwd=tmp_path, stdout=writer, env=env)
    os.close(writer)

    assert got == code
    assert all(line.startswith("error: ") for line in err.splitlines())


def test_an_ascii_terminal_gets_an_ascii_tree(installed: Installed, tmp_path: Path) -> None:
    """What cannot be encoded is drawn otherwise or escaped, and does not fail."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "ü").touch()

    code, out, err = installed.run("tree", ".", cwd=folder, env={"PYTHONIOENCODING": "ascii"})

    assert (code, err) == (0, "")
    assert out == b".\n`-- \\xfc\n\n0 folders, 1 file\n"


@BUFFERED
def test_a_full_disk_is_an_error(installed: Installed, tmp_path: Path, env: dict[str, str]) -> None:
    """Output that cannot be written is one line and exit code 1."""
    (tmp_path / "f").write_bytes(b"content")

    with Path("/dev/full").open("wb") as full:
        code, _, err = installed.run("cat", "f", cwd=tmp_path, stdout=full, env=env)

    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@BUFFERED
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["cp", "--help"], ["completion", "bash"], ["config"]]
)
def test_what_click_prints_ends_as_what_commands_print(
    installed: Installed, tmp_path: Path, arguments: list[str], env: dict[str, str]
) -> None:
    """No traceback for a full disk, and 141 where nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)

    with open(writing, "wb") as unread, Path("/dev/full").open("wb") as full:
        ends = [
            installed.run(*arguments, cwd=tmp_path, stdout=out, env=env) for out in (unread, full)
        ]

    assert [code for code, _, _ in ends] == [141, 1]
    assert ends[0][2] == ""
    assert ends[1][2] == "error: this cannot be printed: No space left on device\n"


@pytest.mark.parametrize("stderr", ["full", "unread"])
def test_what_nobody_reads_of_failures_stops_no_copy(
    installed: Installed, tmp_path: Path, stderr: str
) -> None:
    """Every other file is copied, and the exit code tells that some were not."""
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.mkdir()
    dst.mkdir()
    for i in range(60):
        (src / f"f{i:02}").write_text("new")
        if i < 40:
            (dst / f"f{i:02}").write_text("another")

    reader, unread = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full, open(unread, "wb") as pipe:
        out = full if stderr == "full" else pipe
        with installed.start("cp", "-r", str(src), str(dst), stderr=out) as child:
            code = child.wait(timeout=30)

    assert 1 == code
    assert ["new"] * 20 == [path.read_text() for path in sorted(dst.iterdir())[40:]]


@pytest.mark.parametrize(
    "closed",
    [
        *(pytest.param(some, marks=pytest.mark.long) for some in (">&-", "2>&-", ">&- 2>&-")),
        "<&- >&- 2>&-",
    ],
)
@pytest.mark.parametrize("arguments", [["ls", "."], ["cat", "f"], ["cp", "f", "g"], ["doctor"]])
def test_a_closed_stream_is_no_failure(
    installed: Installed, tmp_path: Path, arguments: list[str], closed: str
) -> None:
    """What nobody wants to hear is not said; what was to be done is done."""
    (tmp_path / "f").write_bytes(b"content")
    script = Path(sys.executable).with_name("remote-store")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REMOTE_STORE_", "PYTHON"))}

    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" "$@" {closed}', script, *arguments],
        cwd=tmp_path,
        env=env | {"PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    if arguments[0] == "cp":
        assert (tmp_path / "g").read_bytes() == b"content"
