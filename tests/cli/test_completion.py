"""What the shells are told when a key is pressed."""

from __future__ import annotations

import os
import pty
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
    assert words(cli, f"cp x --config={config} @r") == ["@rep/"]
    assert words(cli, f"cp x --config {config} @rep/") == []  # its variable is not set
    assert words(cli, "cp ./x") == words(cli, "cp shared://s") == []


def test_no_variable_asks_click_to_complete(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scripts evaluate what they are told, and one word in the environment ended each run."""
    monkeypatch.setenv("_REMOTE_STORE_COMPLETE", "bash_source")

    assert cli("completion", "bash").stdout.startswith("_remote_store()")


def test_a_store_that_fails_offers_nothing(cli: Cli) -> None:
    """A key press is no place for errors."""
    result = cli("__complete", "remote-store ls nonesuch://x/", "")

    assert result.output == ""


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("sy", "sync "),
        ("ls @store/d/a", r"ls @store/d/a\ b "),
        ('ls "@store/d/a', 'ls "@store/d/a b" '),
        ("ls @store/d/co:", "ls @store/d/co:lon "),
        ("ls @st", "ls @store/"),
        ("ls '@store/d/q", r"ls '@store/d/q'\''t$' "),
        ('ls "@store/d/q', r"""ls "@store/d/q't\$" """),
        ("ls local://ROOT/d/a", "ls local://ROOT/d/a%20b "),
        ("ls ./d", "ls ./d/"),
    ],
)
def test_bash(tmp_path: Path, typed: str, line: str) -> None:
    """In a real bash on a terminal: what TAB makes of blanks, quotes, colons and `@`."""
    (tmp_path / "d").mkdir()
    for name in ("a b", "co:lon", "q't$"):
        (tmp_path / "d" / name).touch()
    config = tmp_path / "stores.toml"
    config.write_text(CONFIG.replace("rep", "store").replace("${NOBODY_SETS_THIS}", str(tmp_path)))
    typed, line = (text.replace("ROOT", str(tmp_path)) for text in (typed, line))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REMOTE_STORE_", "PYTHON"))}
    env |= {"REMOTE_STORE_CONFIG": str(config), "TERM": "dumb", "PS1": "> ", "COLUMNS": "500"}
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    reader, writer = pty.openpty()
    bash = shutil.which("bash") or "bash"
    child = subprocess.Popen(
        [bash, "--norc", "--noprofile", "-i"],
        cwd=tmp_path, env=env, stdin=writer, stdout=writer, stderr=writer, start_new_session=True,
    )  # fmt: skip
    os.close(writer)
    expected = f"remote-store {line}".encode()
    try:
        seen = b""
        os.write(reader, b'eval "$(remote-store completion bash)"; printf "%s\\n" rea""dy\n')
        while b"ready" not in seen:
            seen += os.read(reader, 65536)
        os.write(reader, f"remote-store {typed}\t".encode())
        seen = b""
        while expected not in seen.replace(b"\r", b"").replace(b"\a", b""):
            seen += os.read(reader, 65536)
    finally:
        child.kill()
        child.wait()
        os.close(reader)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_evaluate_nothing(cli: Cli, shell: str) -> None:
    """What a store says is data to every shell."""
    script = cli("completion", shell).stdout

    assert "remote-store __complete" in script
    assert "eval" not in script
