"""The page about the command line: its examples give what it prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from remote_store_cli import _codes
from remote_store_cli._app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
FILES = {"readme.txt": b"Hello there\n", "2024/jan.csv": b"x" * 2048, "2024/notes/a.txt": b"12345"}
WHEN = datetime(2026, 1, 31, 8, tzinfo=UTC).timestamp()


def examples() -> Iterator[tuple[str, str]]:
    """Yield each command of the page with the output below it."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            yield command, output


def neutral(text: str, folder: Path) -> str:
    """Leave out what differs from machine to machine."""
    text = text.replace(str(folder), "/srv")
    text = re.sub(r"contract \d\.\d", "contract", text)
    text = re.sub(r"Python 3[.\d\w+]+", "Python 3", text)
    return re.sub(r"\b0\.\d+\.\d+\b", "VERSION", text)


def test_every_example_of_the_page_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one after the other in one folder, the commands print what the page says."""
    folder = tmp_path.resolve()
    for name, content in FILES.items():
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (WHEN, WHEN))
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "stores.toml").write_text(toml)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PWD", str(folder))

    ran = 0
    for command, expected in examples():
        program, *arguments = shlex.split(command)
        assert program == "remote-store"
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        expected, got = neutral(expected, folder), neutral(result.output, folder)
        if arguments[0] in ("backends", "capabilities", "doctor"):
            # What else there is adds rows, and widens columns.
            rows = {" ".join(row.split()) for row in got.splitlines()}
            assert {" ".join(row.split()) for row in expected.splitlines()} <= rows, command
        else:
            assert expected == got, command
        ran += 1
    assert ran >= 20


COMMANDS = [name for name, command in app.commands.items() if not command.hidden]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_on_the_page(command: str) -> None:
    """No command without a section and an example."""
    text = PAGE.read_text(encoding="utf-8")

    assert f"## `{command}`" in text
    assert f"remote-store {command}" in text


def test_the_page_of_commands_is_what_the_program_says() -> None:
    """It is written by a script, which has nothing to change."""
    script = PAGE.parents[1] / "scripts" / "cli_reference.py"
    done = subprocess.run(
        [sys.executable, "-P", script, "--check"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_every_exit_code_is_on_the_page() -> None:
    """The table of exit codes is the code's."""
    codes = {
        _codes.FAILED,
        _codes.USAGE,
        _codes.PLUGIN,
        _codes.INTERRUPTED,
        _codes.TERMINATED,
        _codes.UNREAD,
        0,
    }
    section = PAGE.read_text(encoding="utf-8").partition("## Exit codes")[2]

    assert codes == {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
