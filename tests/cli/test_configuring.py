"""`config init`: a file that works as it is, and never replaces another."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from remote_store import RegistryConfig
from remote_store_cli._configuring import TEMPLATE

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


def test_a_new_file_works(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is for its owner, and the next command is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    result = cli("config", "init")

    assert f"export REMOTE_STORE_CONFIG={tmp_path}/stores.toml" in result.stderr
    assert stat.S_IMODE(Path("stores.toml").stat().st_mode) == 0o600
    assert cli("ls", "@home", "--config", "stores.toml").stdout == "stores.toml\n"


def test_an_existing_file_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    """Also an empty one; a folder that is missing is told."""
    (tmp_path / "f").write_bytes(b"")

    assert "left alone" in cli("config", "init", str(tmp_path / "f"), code=2).stderr
    assert (tmp_path / "f").read_bytes() == b""
    assert "name another" in cli("config", "init", str(tmp_path / "no" / "f"), code=2).stderr
    assert cli("config", "init", "-").stdout == TEMPLATE


def test_the_examples_in_it_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is commented out is understood, too."""
    text = re.sub(r"^# (?=\[|\w+ = )", "", TEMPLATE, flags=re.MULTILINE)
    (tmp_path / "f").write_text(text)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "x")

    config = RegistryConfig.from_toml(tmp_path / "f", resolve_env_vars=True)
    config.validate()

    assert set(config.stores) == {"home", "reports", "backup"}
