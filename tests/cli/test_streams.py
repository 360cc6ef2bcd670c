"""Standard input as a source, standard output as a destination."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Installed, Servers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "kind", ["pipe", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("file", "null"))]
)
def test_standard_input_becomes_a_file(installed: Installed, tmp_path: Path, kind: str) -> None:
    """Every byte, from whatever it is."""
    content = b"" if kind == "null" else os.urandom(3_000_000)
    (tmp_path / "in").write_bytes(content)
    name = "/dev/null" if kind == "null" else str(tmp_path / "in")
    with open(name, "rb") as stream:
        if kind == "pipe":
            with subprocess.Popen(["cat"], stdin=stream, stdout=subprocess.PIPE) as feeder:
                code, _, err = installed.run("cp", "-", "out/x", cwd=tmp_path, stdin=feeder.stdout)
        else:
            code, _, err = installed.run("cp", "-", "out/x", cwd=tmp_path, stdin=stream)

    assert (code, err.partition(" (")[0]) == (0, "copied 1 file")
    assert (tmp_path / "out" / "x").read_bytes() == content


def test_sigterm_while_nothing_comes(installed: Installed, tmp_path: Path) -> None:
    """A silent pipe keeps no process alive, and leaves no file."""
    with installed.start("cp", "-", "out", cwd=tmp_path, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.write(b"x" * 100)
        child.stdin.flush()
        while len(list(tmp_path.iterdir())) < 2:  # until it has begun to write
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=20)

    assert (child.returncode, err) == (143, b"error: terminated\n")
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_a_dry_run_writes_nothing(cli: Cli, servers: Servers) -> None:
    """It says what would become of the file, and reads no standard input."""
    servers.seed("s", {"there": b"old"})
    before = servers.files("s")

    new = cli("cp", "-n", "-", "shared://s/new")
    replaced = cli("cp", "-n", "-", "shared://s/there", "--overwrite", "--json")
    kept = cli("cp", "-n", "-", "shared://s/there")

    assert servers.files("s") == before
    assert new.stdout == f"copy      {'-':>10}  shared://s/new  (standard input)\n"
    assert json.loads(replaced.stdout)[0]["action"] == "replace"
    assert kept.stdout.startswith("conflict  ")


def test_files_become_standard_output(cli: Cli, servers: Servers) -> None:
    """One after the other, as with `cat`."""
    servers.seed("s", {"a": b"1", "b": b"\x00\xff"})

    assert cli("cp", "shared://s/a", "shared://s/b", "-").stdout_bytes == b"1\x00\xff"
    assert cli("cat", "shared://s/a", "shared://s/b").stdout_bytes == b"1\x00\xff"
    cli("cp", "shared://s", "-", code=2)


def test_what_cannot_be_streamed(cli: Cli, servers: Servers) -> None:
    """Input needs one name that is no folder, and replaces only when told."""
    servers.seed("s", {"d/a": b"old"})

    for target in ("shared://s/d", "shared://s/d/", "shared://s", "-"):
        cli("cp", "-", target, code=2)
    cli("cp", "-", "shared://s/d/a", "shared://s/d", code=2)
    assert servers.files("s") == {"d/a": b"old"}


def test_a_closed_standard_input(installed: Installed, tmp_path: Path) -> None:
    """One line, and no empty file in the place of what was to come."""
    code, _, err = installed.run("cp", "-", "out", cwd=tmp_path, preexec_fn=lambda: os.close(0))

    assert (code, err) == (2, "error: standard input is closed: there is nothing to be copied\n")
    assert not (tmp_path / "out").exists()
