"""Stores of a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers


def test_named_stores_come_from_the_configuration(
    cli: Cli, servers: Servers, tmp_path: Path, creating: list[bool]
) -> None:
    """@NAME/path is a path in a store of the file; reading does not create its root either."""
    config = tmp_path / "stores.toml"
    config.write_text(
        '[backends.b]\ntype = "creating"\n[stores.reports]\nbackend = "b"\nroot_path = "r"\n'
    )
    servers.seed("s", {"x": b""})

    cli("cat", "@reports/x", "--config", str(config), code=1)
    cli("cp", "shared://s/x", "@reports/y", "--config", str(config))

    assert creating == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@missing/x", "no store 'missing' in the configuration; known: reports"),
        ("@reports/x", "no plugin serves backend 'nonesuch'"),
    ],
)
def test_named_stores_that_cannot_be_opened(
    cli: Cli, tmp_path: Path, text: str, message: str
) -> None:
    """What is wrong with a name or its plugin is said in one line."""
    config = tmp_path / "stores.toml"
    config.write_text('[backends.b]\ntype = "nonesuch"\n[stores.reports]\nbackend = "b"\n')

    result = cli("cat", text, "--config", str(config), code=2 if "missing" in text else 3)

    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["ls"], ["ls", "-r"], ["tree"], ["info"], ["rm", "-r", "--yes"], ["cp", "-r", "", "out"]],
)
def test_a_root_that_does_not_exist_is_not_an_empty_folder(
    cli: Cli, tmp_path: Path, arguments: list[str]
) -> None:
    """A mistyped root_path is an error of whatever looks at it, as a mistyped path is."""
    config = tmp_path / "stores.toml"
    config.write_text(
        '[backends.b]\ntype = "memory"\n[stores.reports]\nbackend = "b"\nroot_path = "typo"\n'
    )
    arguments = [a or "@reports" for a in arguments]
    arguments += [] if "@reports" in arguments else ["@reports"]

    result = cli(*arguments, "--config", str(config), code=1)

    assert result.stderr.startswith("error: no such folder: @reports; ")
    if arguments[0] == "rm":
        cli(*arguments, "--missing-ok", "--config", str(config))


def test_a_root_path_that_cannot_be_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    """Nothing was done: the configuration is to be repaired."""
    config = tmp_path / "stores.toml"
    config.write_text(
        '[backends.b]\ntype = "memory"\n[stores.reports]\nbackend = "b"\nroot_path = "../x"\n'
    )

    result = cli("ls", "@reports", "--config", str(config), code=2)

    assert "the root of @reports cannot be used: " in result.stderr


def test_the_configuration_may_come_from_the_environment(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, creating: list[bool]
) -> None:
    """REMOTE_STORE_CONFIG stands in for --config."""
    config = tmp_path / "stores.toml"
    config.write_text('[backends.b]\ntype = "creating"\n[stores.reports]\nbackend = "b"\n')
    monkeypatch.setenv("REMOTE_STORE_CONFIG", str(config))

    cli("ls", "@reports")

    assert creating == [False]


def test_a_name_needs_a_configuration(cli: Cli, tmp_path: Path) -> None:
    """Without a file, with a missing or a malformed one, the command is not carried out."""
    bad = tmp_path / "bad.toml"
    bad.write_text("[[[")

    assert "--config" in cli("ls", "@x", code=2).stderr
    assert "No such file" in cli("ls", "@x", "--config", str(tmp_path / "no"), code=2).stderr
    assert "bad.toml" in cli("ls", "@x", "--config", str(bad), code=2).stderr


def test_a_named_store_needs_nothing_of_the_others(cli: Cli, tmp_path: Path) -> None:
    """A variable that only another backend names need not be set."""
    config = tmp_path / "c.toml"
    config.write_text(
        "[backends.m]\ntype = 'memory'\n[backends.a]\ntype = 'azure'\n"
        "options = { account_key = '${SURELY_NOT_SET}' }\n"
        "[stores.s]\nbackend = 'm'\n[stores.a]\nbackend = 'a'\n"
    )

    cli("ls", "@s", "--config", str(config))
    result = cli("ls", "@a", "--config", str(config), code=2)
    assert (
        "'SURELY_NOT_SET' is not set (needed at $.backends.a.options.account_key)" in result.stderr
    )
