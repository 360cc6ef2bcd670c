"""`mkdir`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from remote_store import Capability, CapabilitySet, register_backend, unregister_backend
from remote_store_memory import AsyncMemoryBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Servers


class Flat(AsyncMemoryBackend):
    """``flat://``: one without real folders."""

    CAPABILITIES = capabilities = CapabilitySet({Capability.READ, Capability.WRITE})


def test_folders_and_those_above(cli: Cli, tmp_path: Path) -> None:
    """Each that is named, in silence; again is no error."""
    (tmp_path / "there").mkdir()
    for _ in range(2):
        result = cli("mkdir", f"local://{tmp_path}/a/b/c", f"{tmp_path}/there", f"{tmp_path}/d")
        assert (result.stdout, result.stderr) == ("", "")
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")} == {
        *("a", "a/b", "a/b/c", "there", "d"),
    }


def test_a_file_in_the_way(cli: Cli, servers: Servers) -> None:
    """One line for each, and the others are made."""
    servers.seed("s", {"f": b"x"})
    result = cli("mkdir", "shared://s/f", "shared://s/f/below", "shared://s/new", code=1)
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("error: ") and "file" in line for line in lines)
    assert cli("ls", "shared://s/").stdout.split() == ["f", "new/"]


@pytest.mark.parametrize("wrong", ["nosuch://x", "@nobody/x", "local:///x?account_key=1"])
@pytest.mark.parametrize("options", [[], ["-n"]])
def test_nothing_is_made_before_all_is_understood(
    cli: Cli, tmp_path: Path, wrong: str, options: list[str]
) -> None:
    """A location that is refused as it was given comes before the first folder."""
    code = 3 if wrong.startswith("nosuch") else 2
    result = cli("mkdir", *options, f"{tmp_path}/a/b", wrong, f"{tmp_path}/c", code=code)
    assert result.stdout == ""
    assert [*tmp_path.iterdir()] == []


@pytest.fixture
def _flat() -> Iterator[None]:
    register_backend("flat", Flat)
    yield
    unregister_backend("flat")


@pytest.mark.usefixtures("_flat")
def test_where_folders_are_not_real(cli: Cli) -> None:
    """One clear line."""
    result = cli("mkdir", "flat:///a/b", code=1)
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("error: flat:///a/b: ")
    assert "only through the files in it" in result.stderr


def test_what_would_be_made(cli: Cli, tmp_path: Path) -> None:
    """A dry run makes nothing, not even what is above; what is there is not named."""
    (tmp_path / "there").mkdir()
    places = [f"{tmp_path}/a/b", f"{tmp_path}/there"]

    dry = cli("mkdir", "-n", *places)
    facts = json.loads(cli("mkdir", "--dry-run", "--json", *places).stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    said = cli("mkdir", "-v", places[0]).stderr
    made = json.loads(cli("mkdir", "--json", *places).stdout)

    assert dry.stdout == f"mkdir   {'-':>10}  {places[0]}\n"
    assert dry.stderr == "dry run: 1 folder; nothing was done\n"
    assert facts == [{"action": "mkdir", "target": places[0]}]
    assert said == f"made  {places[0]}\n"
    assert made == {"made": places, "failures": []}


def test_a_dry_run_where_a_file_is(cli: Cli, tmp_path: Path) -> None:
    """It fails as the run itself, and shows the others."""
    (tmp_path / "f").touch()
    places = [f"{tmp_path}/f", f"{tmp_path}/f/a/b", f"{tmp_path}/g/a"]
    dry, wet = (cli("mkdir", *options, *places, code=1) for options in (["-n"], []))
    assert dry.stdout == f"mkdir   {'-':>10}  {places[2]}\n"
    assert dry.stderr.splitlines()[:2] == wet.stderr.splitlines()


@pytest.mark.usefixtures("_flat")
def test_a_dry_run_where_folders_are_not_real(cli: Cli) -> None:
    """It says that nothing could be made."""
    assert "first file" in cli("mkdir", "-n", "flat:///a/b", code=2).stderr
