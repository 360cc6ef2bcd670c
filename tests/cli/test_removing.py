"""`cat` and `rm`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from remote_store import ResourceLocked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Servers

BINARY = bytes(range(256)) * 5


@pytest.fixture(autouse=True)
def _seeded(servers: Servers) -> None:
    servers.seed("s", {"d/x": BINARY, "d/e/y": b"y", "z": b"z"})


def test_cat_is_binary_safe(cli: Cli) -> None:
    """Every byte comes out as it is stored."""
    assert cli("cat", "shared://s/d/x").stdout_bytes == BINARY


@pytest.mark.parametrize("path", ["nope", "d/x/below", "d"])
def test_cat_of_what_is_no_file(cli: Cli, path: str) -> None:
    """A missing file and a folder are errors of one line."""
    result = cli("cat", f"shared://s/{path}", code=1)

    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_cat_of_a_root(cli: Cli) -> None:
    """A location without a key names no file."""
    cli("cat", "shared://s", code=2)


def test_rm_removes_a_file_only(cli: Cli, servers: Servers) -> None:
    """One file goes, its neighbours stay."""
    cli("rm", "shared://s/d/x")

    assert servers.files("s") == {"d/e/y": b"y", "z": b"z"}


def test_rm_refuses_a_folder_without_r(cli: Cli, servers: Servers) -> None:
    """A folder needs -r; nothing is removed without it."""
    result = cli("rm", "shared://s/d", code=2)

    assert "-r" in result.stderr
    assert len(servers.files("s")) == 3


def test_rm_recursive_removes_exactly_the_folder(cli: Cli, servers: Servers) -> None:
    """-r removes what is below and nothing else."""
    cli("rm", "-r", "shared://s/d")

    assert servers.files("s") == {"z": b"z"}


def test_rm_of_what_is_missing(cli: Cli) -> None:
    """A missing file is an error, unless that is said to be fine."""
    cli("rm", "shared://s/nope", code=1)
    cli("rm", "--missing-ok", "shared://s/nope")
    cli("rm", "-r", "--missing-ok", "shared://s/nope")


@pytest.mark.parametrize("arguments", [[], ["-r"], ["--yes"], ["-r", "--missing-ok"]])
@pytest.mark.parametrize("root", ["shared://s", "shared://s/", "shared://s/d/"])
def test_rm_refuses_a_root(cli: Cli, servers: Servers, arguments: list[str], root: str) -> None:
    """The root of a store is emptied only by -r --yes."""
    before = servers.files("s")

    result = cli("rm", *arguments, root, code=2)

    assert "root" in result.stderr
    assert before == servers.files("s")


def test_rm_empties_a_root_when_told(cli: Cli, servers: Servers) -> None:
    """-r --yes removes everything in the root, and only there."""
    cli("rm", "-r", "--yes", "shared://s/d/")
    assert servers.files("s") == {"z": b"z"}

    cli("rm", "-r", "--yes", "shared://s")
    assert servers.files("s") == {}


def test_rm_of_a_root_goes_on_after_a_failure(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that cannot be removed is reported, and the rest is removed."""
    backend = servers.store("s")._backend

    async def delete_folder(path: str, **options: Any) -> None:
        others = (ResourceLocked("busy", path="d/e"),)
        raise ResourceLocked("locked", path=path, others=others)

    monkeypatch.setattr(backend, "delete_folder", delete_folder, raising=False)

    result = cli("rm", "-r", "shared://s/d", code=1)
    wait = "; try again when who uses it is done\n"
    told = f"error: shared://s/d: locked{wait}error: shared://s/d/e: busy{wait}"
    assert result.stderr == told
    result = cli("rm", "-R", "--yes", "shared://s", code=1)

    assert result.stderr == told
    assert {"d/x", "d/e/y"} == set(servers.files("s"))


def test_rm_with_a_filter_removes_files_that_match(cli: Cli, servers: Servers) -> None:
    """Wherever they are; other files and all folders stay."""
    dry = cli("rm", "-r", "--dry-run", "shared://s/d", "--include", "y")
    result = cli("rm", "-r", "-v", "shared://s/d", "--include", "y")

    assert dry.stdout == f"delete  {'1 B':>10}  shared://s/d/e/y\n"
    assert dry.stderr == "dry run: 1 removal; nothing was done\n"
    assert result.stderr == "removed  shared://s/d/e/y\n"
    assert set(servers.files("s")) == {"d/x", "z"}


def test_a_size_of_0_is_a_filter(cli: Cli, servers: Servers) -> None:
    """Only empty files go, and not the folder with everything in it."""
    servers.seed("s", {"d/empty": b""})

    cli("rm", "-r", "shared://s/d", "--max-size", "0")

    assert set(servers.files("s")) == {"d/x", "d/e/y", "z"}


def test_a_file_that_is_named_has_to_match_too(cli: Cli, servers: Servers, tmp_path: Path) -> None:
    """By name, size and time; a link is no file that could."""
    before = servers.files("s")
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for one in (["--min-size", "1K"], ["--exclude", "z"], ["--newer", "2999-01-01"]):
        cli("rm", "shared://s/z", str(link), *one)
        assert servers.files("s") == before
        assert link.is_symlink()

    cli("rm", "shared://s/z", "--max-size", "1")

    assert set(servers.files("s")) == {"d/x", "d/e/y"}


def test_a_root_that_cannot_be_listed_keeps_nothing_else(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told as a failure, as that of any other location."""
    servers.seed("t", {"x": b"1"})
    backend = servers.store("t")._backend

    async def refuse(path: str) -> Any:
        raise ResourceLocked("locked", path=path)
        yield

    monkeypatch.setattr(backend, "iter_children", refuse, raising=False)
    result = cli("rm", "-r", "--yes", "--json", "shared://t/", "shared://s/d", code=1)

    assert set(servers.files("s")) == {"z"}
    facts = json.loads(result.stdout)
    assert facts["removed"] == 1
    assert facts["failures"][0]["location"] == "shared://t/"


def test_rm_of_several(cli: Cli, servers: Servers) -> None:
    """All that are there go; one that is missing is told; nothing goes if one is not understood."""
    before = servers.files("s")
    cli("rm", "shared://s/z", "shared://s/d", code=2)
    assert before == servers.files("s")

    result = cli("rm", "-r", "--json", "shared://s/z", "shared://s/none", "shared://s/d", code=1)

    assert servers.files("s") == {}
    assert "no such file or folder: shared://s/none" in result.stderr
    facts = json.loads(result.stdout)
    assert (facts["removed"], len(facts["failures"])) == (2, 1)


def test_rm_with_a_filter_goes_on_after_a_folder_that_refuses(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that was listed is removed, and the refusal is told."""
    backend = servers.store("s")._backend
    list_files = backend.list_files

    async def broken(path: str, **options: Any) -> Any:
        async for file in list_files(path, **options):
            yield file
        raise ResourceLocked("locked", path="d/more")

    monkeypatch.setattr(backend, "list_files", broken, raising=False)
    result = cli("rm", "-r", "shared://s/d", "--exclude", "none", code=1)
    monkeypatch.undo()

    assert result.stderr == "error: shared://s/d/more: locked; try again when who uses it is done\n"
    assert servers.files("s") == {"z": b"z"}
