"""`sync` and `check`, dry runs, filters, and what programs get as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from remote_store import Capability, CapabilitySet, PermissionDenied

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Servers

TREE = {"in/a.csv": b"a", "in/sub/b.txt": b"bb", "in/cache/c": b"ccc"}


@pytest.fixture(autouse=True)
def _seeded(servers: Servers) -> None:
    servers.seed("s", TREE)


def below(files: dict[str, bytes], folder: str) -> dict[str, bytes]:
    return {path.removeprefix(folder): content for path, content in files.items()}


def test_sync_makes_a_folder_like_another(cli: Cli, servers: Servers) -> None:
    """New files come, differing ones are replaced, surplus ones go with --delete only."""
    servers.seed("t", {"out/a.csv": b"old", "out/gone": b"1"})

    first = cli("sync", "shared://s/in", "shared://t/out")
    assert first.stderr == "copied 3 files (6 B), 1 of them replaced\n"
    assert "out/gone" in servers.files("t")
    second = cli("sync", "--delete", "-v", "shared://s/in", "shared://t/out")

    told = "deleted  shared://t/out/gone\ncopied 0 files (0 B); skipped 3 equal files; "
    assert second.stderr == told + "deleted 1 file\n"
    assert below(servers.files("t"), "out/") == below(TREE, "in/")


def test_patterns_protect_what_they_leave_out(cli: Cli, servers: Servers) -> None:
    """Neither copied nor deleted."""
    servers.seed("t", {"out/cache/x": b"1", "out/x.csv": b"1"})

    cli("sync", "--delete", "shared://s/in", "shared://t/out", "--exclude", "cache/")

    assert set(servers.files("t")) == {"out/a.csv", "out/sub/b.txt", "out/cache/x"}


def test_an_empty_source_deletes_nothing(cli: Cli, servers: Servers) -> None:
    """A disk that is not mounted is an empty folder."""
    servers.seed("t", {"out/a": b"1", "empty": b""})

    result = cli("sync", "--delete", "shared://nobody", "shared://t/out", code=2)

    assert "would remove all 1 of" in result.stderr
    assert "out/a" in servers.files("t")


def test_sync_is_for_folders(cli: Cli, servers: Servers) -> None:
    """Files are refused on either side, and a folder in itself."""
    servers.seed("t", {"file": b""})
    for arguments in (
        ("shared://s/in/a.csv", "shared://t/x"),
        ("shared://s/in", "shared://t/file"),
        ("shared://s/in", "shared://s/in/sub"),
        ("shared://s/in/sub", "shared://s/in"),
    ):
        cli("sync", *arguments, code=2)
    cli("sync", "shared://s/nope", "shared://t/x", code=1)


@pytest.mark.parametrize("command", [("sync", "--delete"), ("cp", "-r", "--overwrite")])
def test_a_dry_run_changes_nothing(cli: Cli, servers: Servers, command: tuple[str, ...]) -> None:
    """A row for each action, with size and reason, and JSON with exact values."""
    before = {"out/a.csv": b"old", "out/gone": b"1"}
    servers.seed("t", before)
    arguments = (*command, "--dry-run", "shared://s/in", "shared://t/out")

    table = cli(*arguments)
    facts = json.loads(cli(*arguments, "--json").stdout)

    assert servers.files("t") == before
    row = f"{'replace':<8}  {'1 B':>10}  shared://t/out/a.csv  (differs: size)\n"
    assert row in table.stdout
    assert "nothing was done" in table.stderr
    assert {
        "action": "replace",
        "source": "shared://s/in/a.csv",
        "target": "shared://t/out/a.csv",
        "size": 1,
        "reason": "differs: size",
    } in facts
    assert ("delete" in table.stdout) == (command[0] == "sync")


def test_the_result_as_json(cli: Cli, servers: Servers) -> None:
    """Sums and failures, on standard output."""
    servers.seed("t", {"out/a.csv": b"old"})

    result = cli("cp", "-r", "--json", "shared://s/in", "shared://t/out", code=1)

    facts = json.loads(result.stdout)
    assert (facts["copied"], facts["size"], facts["skipped"]) == (2, 5, 0)
    (failure,) = facts["failures"]
    assert (failure["location"], failure["kind"]) == ("shared://t/out/a.csv", "conflict")


def test_check_tells_each_difference(cli: Cli, servers: Servers) -> None:
    """Missing, differing and surplus files; equal ones with -v."""
    servers.seed("t", {"out/a.csv": b"b", "out/sub/b.txt": b"bb", "out/more": b"1"})
    arguments = ("check", "shared://s/in", "shared://t/out")

    result = cli(*arguments, code=1)
    one_way = cli(*arguments, "--one-way", "-v", code=1)
    facts = json.loads(cli(*arguments, "--json", code=1).stdout)

    assert sorted(result.stdout.splitlines()) == [
        "differs  shared://t/out/a.csv",
        "extra    shared://t/out/more",
        "missing  shared://t/out/cache/c",
    ]
    assert "1 equal file; " in result.stderr
    assert "equal    shared://t/out/sub/b.txt\n" in one_way.stdout
    assert "more" not in one_way.stdout
    assert (facts["equal"], facts["differs"], facts["missing"]) == (1, ["a.csv"], ["cache/c"])


def test_check_of_two_files(cli: Cli, servers: Servers) -> None:
    """Whatever their names."""
    servers.seed("t", {"copy": b"a", "other": b"b"})

    assert cli("check", "shared://s/in/a.csv", "shared://t/copy").stderr == "1 equal file\n"
    assert "differs" in cli("check", "shared://s/in/a.csv", "shared://t/other", code=1).stdout


def test_check_of_a_larger_folder_is_no_failure(cli: Cli, servers: Servers) -> None:
    """A backup may have more."""
    servers.seed("t", {**below(TREE, "in/"), "more": b""})

    assert cli("check", "shared://s/in", "shared://t").stdout == "extra    shared://t/more\n"


def test_check_needs_no_right_to_write(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that can only be read is compared, and not copied to."""
    servers.seed("t", below(TREE, "in/"))
    reading = CapabilitySet({Capability.READ, Capability.LIST, Capability.METADATA})
    target: Any = servers.store("t")._backend
    declared = type(target).capabilities

    def capabilities(backend: Any) -> CapabilitySet:
        return reading if backend is target else declared.fget(backend)

    monkeypatch.setattr(type(target), "capabilities", property(capabilities))

    assert cli("check", "shared://s/in", "shared://t").stderr == "3 equal files\n"
    assert "write" in cli("sync", "shared://s/in", "shared://t", code=1).stderr


@pytest.mark.parametrize("side", ["s", "t"])
@pytest.mark.parametrize("folder", ["sub", ""])
def test_check_calls_nothing_missing_that_it_could_not_list(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch, side: str, folder: str
) -> None:
    """What is below a folder that refuses is unknown, on either side."""
    servers.seed("t", {path.replace("in/", "out/"): content for path, content in TREE.items()})
    backend = servers.store(side)._backend
    list_files = backend.list_files
    top = "in" if side == "s" else "out"

    async def refuse(path: str, **options: Any) -> Any:
        async for file in list_files(path, **options):
            if not file.path.as_posix().startswith(f"{top}/{folder}".rstrip("/")):
                yield file
        msg = "you may not look"
        raise PermissionDenied(msg, path=f"{top}/{folder}".rstrip("/"))

    monkeypatch.setattr(backend, "list_files", refuse, raising=False)

    result = cli("check", "shared://s/in", "shared://t/out", code=1)

    assert result.stdout == ""
    assert f"{2 if folder else 0} equal files; 1 not compared\n" in result.stderr


def test_check_is_not_content_with_what_it_left_out(cli: Cli, tmp_path: Path) -> None:
    """Exit code 0 says that everything is there; --links says that links do not count."""
    for folder in ("a", "b"):
        (tmp_path / folder / "real").mkdir(parents=True)
        (tmp_path / folder / "real" / "f").write_bytes(b"1")
    (tmp_path / "a/link").symlink_to("real")
    sides = str(tmp_path / "a"), str(tmp_path / "b")

    assert "1 link left out" in cli("check", *sides, code=1).stderr
    cli("check", "--links", "skip", *sides)
    assert "missing" in cli("check", "--links", "follow", *sides, code=1).stdout


def test_check_refuses_what_cannot_be_equal(cli: Cli, servers: Servers) -> None:
    """A file and a folder, a folder and itself, and what does not exist."""
    cli("check", "shared://s/in", "shared://s/in/a.csv", code=2)
    cli("check", "shared://s/in", "shared://s/in", code=2)
    cli("check", "shared://s/in", "shared://t/none", code=1)


def test_a_refused_side_is_told_once(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that fails does not fail for each file."""

    async def list_files(path: str, **options: Any) -> Any:
        msg = "who are you?"
        raise PermissionDenied(msg, status=401)
        yield

    backend = servers.store("t")._backend
    monkeypatch.setattr(backend, "list_files", list_files, raising=False)

    result = cli("cp", "-r", "shared://s/in", "shared://t/out", code=1)

    told = "error: shared://t/out: who are you?; look at the credentials"
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1


def test_a_refusal_is_told_once(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that lists, but takes nothing, says so once; JSON has every file."""

    async def write(path: str, *args: Any, **options: Any) -> Any:
        msg = "you may not write"
        raise PermissionDenied(msg, path=path, status=403)

    monkeypatch.setattr(servers.store("t")._backend, "write", write, raising=False)

    result = cli("cp", "-r", "shared://s/in", "shared://t/out", code=1)
    facts = json.loads(cli("cp", "-r", "--json", "shared://s/in", "shared://t/o", code=1).stdout)

    first, second, summary = result.stderr.splitlines()
    assert "you may not write" in first
    assert second == "error: 2 more were refused in the same way (403); --json lists them"
    assert summary == "copied 0 files (0 B); 3 failed"
    assert [failure["status"] for failure in facts["failures"]] == [403, 403, 403]


def test_several_sources(cli: Cli, servers: Servers) -> None:
    """Files and folders go into the destination under their names; one that fails is told."""
    result = cli(
        "cp", "-r", "shared://s/in/a.csv", "shared://s/none", "shared://s/in/sub",
        "shared://t/out", code=1,
    )  # fmt: skip

    assert set(servers.files("t")) == {"out/a.csv", "out/sub/b.txt"}
    assert "no such file or folder: shared://s/none" in result.stderr
    cli("cp", "-r", "--into", "shared://s/in/sub", "shared://t/one")
    assert "one/sub/b.txt" in servers.files("t")


def test_several_sources_that_cannot_be(cli: Cli, servers: Servers) -> None:
    """Into a file, or two of one name; nothing is written."""
    servers.seed("s", {"other/a.csv": b"1"})
    servers.seed("t", {"file": b""})
    both = ("shared://s/in/a.csv", "shared://s/other/a.csv")

    assert "both become" in cli("cp", *both, "shared://t/out", code=2).stderr
    assert "is a file" in cli("cp", *both, "shared://t/file", code=2).stderr
    assert "without a name" in cli("cp", "-r", "shared://s", both[0], "shared://t/x", code=2).stderr
    assert servers.files("t") == {"file": b""}
