"""What the shells are told when a key is pressed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers

CONFIG = """
[backends.b]
type = "local"
options = { root = "${NOBODY_SETS_THIS}" }
[stores.rep]
backend = "b"
"""


def words(cli: Cli, line: str, breaks: str = "") -> list[str]:
    return cli("__complete", f"remote-store {line}", breaks).stdout.splitlines()


def test_commands_options_and_values(cli: Cli) -> None:
    """As far as the line tells what is wanted."""
    assert words(cli, "sy") == ["sync"]
    assert words(cli, "config ") == ["init"]
    assert words(cli, "cp --over") == ["--overwrite"]
    assert words(cli, "cp --compare e") == ["etag"]
    assert words(cli, "sync --links ") == ["follow", "report", "skip"]
    assert words(cli, "completion ") == ["bash", "fish", "zsh"]
    assert words(cli, "ls mem") == ["memory://"]
    assert words(cli, "ls --no-such ''") == words(cli, "ls '") == []


def test_remote_paths(cli: Cli, servers: Servers, tmp_path: Path) -> None:
    """Names of a folder, escaped as the location needs it; stores of the configuration."""
    servers.seed("s", {"in/a b": b"", "in/ab/c": b"", "in/x\ny": b""})
    config = tmp_path / "stores.toml"
    config.write_text(CONFIG)

    assert words(cli, "ls shared://s/in/a") == ["shared://s/in/a%20b", "shared://s/in/ab/"]
    assert words(cli, "ls shared://s/in/a", "\"'@><=;|&(:") == [
        "//s/in/a%20b",
        "//s/in/ab/",
    ]
    assert words(cli, f"cp x --config {config} @r") == ["@rep/"]
    assert words(cli, f"cp x --config {config} @rep/") == []  # its variable is not set
    assert words(cli, "cp ./x") == words(cli, "cp shared://s") == []


def test_a_store_that_fails_offers_nothing(cli: Cli) -> None:
    """A key press is no place for errors."""
    result = cli("__complete", "remote-store ls nonesuch://x/", "")

    assert result.output == ""


@pytest.mark.slow
def test_bash(tmp_path: Path) -> None:
    """The script, in a real bash: words that a colon breaks, blanks, files as a last resort."""
    script = r"""
    export PATH=$1:$PATH; cd "$2"
    eval "$(remote-store completion bash)"
    try() { COMP_LINE=$1; COMP_POINT=${#1}; _remote_store; printf '[%s]' "${COMPREPLY[@]}"; echo; }
    try 'remote-store sy'; try "remote-store ls local://$2/d/"; try 'remote-store ls ./d'
    """
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "a b").write_bytes(b"")
    programs = Path(sys.executable).parent
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REMOTE_STORE_", "PYTHON"))}

    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", script, "bash", programs, tmp_path],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip

    first, second, third = done.stdout.splitlines()
    assert (first, third) == ("[sync ]", "[]")
    assert second == f"[//{tmp_path}/d/a%20b ][//{tmp_path}/d/sub/]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_evaluate_nothing(cli: Cli, shell: str) -> None:
    """What a store says is data to every shell."""
    script = cli("completion", shell).stdout

    assert "remote-store __complete" in script
    assert "eval" not in script
