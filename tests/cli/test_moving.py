"""`mv`: nothing is removed at the source before its copy is there, equal and somewhere else."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from remote_store import Capability, CapabilitySet, ContentDigest, RemoteStoreError

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers

TREE = {"in/a.txt": b"a", "in/sub/b.bin": bytes(range(256)), "in/sub/deep/c": b""}


@pytest.fixture(autouse=True)
def _seeded(servers: Servers) -> None:
    servers.seed("s", TREE)


@pytest.mark.parametrize("host", ["s", "t"])
def test_a_folder_is_moved(cli: Cli, servers: Servers, host: str) -> None:
    """Within a store by its own move, between two by copies; the source is gone."""
    result = cli("mv", "-r", "shared://s/in", f"shared://{host}/out")

    moved = {path.replace("in/", "out/"): content for path, content in TREE.items()}
    assert servers.files(host) == moved
    assert host == "s" or servers.files("s") == {}
    assert result.stderr == "moved 3 files (257 B)\n"


@pytest.mark.parametrize("host", ["s", "t"])
def test_several_sources_go_into_a_folder(cli: Cli, servers: Servers, host: str) -> None:
    """Each under its own name, folders with --recursive."""
    cli("mv", "-r", "shared://s/in/a.txt", "shared://s/in/sub", f"shared://{host}/out")

    assert {"out/a.txt", "out/sub/b.bin", "out/sub/deep/c"} == set(servers.files(host))


@pytest.mark.parametrize("host", ["s", "t"])
def test_what_exists_is_kept_and_the_rest_moves(cli: Cli, servers: Servers, host: str) -> None:
    """One that exists, be it equal, stays on both sides; --overwrite completes the move."""
    servers.seed(host, {"out/a.txt": b"a"})

    result = cli("mv", "-r", "shared://s/in", f"shared://{host}/out", code=1)

    assert "out/a.txt exists; --overwrite replaces it" in result.stderr
    assert servers.files("s")["in/a.txt"] == b"a"
    assert "in/sub/b.bin" not in servers.files("s")
    if host == "t":  # two stores in memory: nothing tells that they are two
        told = cli("mv", "-r", "--overwrite", "shared://s/in", "shared://t/out", code=1).stderr
        assert "cannot be told" in told
        return
    cli("mv", "-r", "--overwrite", "shared://s/in", "shared://s/out")
    assert len(servers.files("s")) == 3


def test_an_interrupted_move_is_completed(cli: Cli, servers: Servers, tmp_path: Path) -> None:
    """What has arrived with the same content is not copied again, and removed at the source."""
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.bin").write_bytes(b"another")

    cli("mv", "-r", "--overwrite", "shared://s/in", str(tmp_path))

    assert servers.files("s") == {}
    assert (tmp_path / "sub" / "b.bin").read_bytes() == bytes(range(256))


def test_filters_choose_what_moves(cli: Cli, servers: Servers) -> None:
    """What does not match stays."""
    cli("mv", "-r", "shared://s/in", "shared://t/out", "--include", "*.bin")

    assert set(servers.files("t")) == {"out/sub/b.bin"}
    assert set(servers.files("s")) == {"in/a.txt", "in/sub/deep/c"}


def test_a_dry_run_moves_nothing(cli: Cli, servers: Servers) -> None:
    """It says what would be moved, and what would be refused."""
    servers.seed("t", {"out/a.txt": b"a"})

    result = cli("mv", "--dry-run", "-r", "shared://s/in", "shared://t/out")

    rows = sorted(line.split()[0] for line in result.stdout.splitlines())
    assert rows == ["conflict", "move", "move"]
    assert servers.files("s") == TREE


def test_a_source_that_changes_at_the_last_moment_is_kept(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that compares when it deletes is told which version to delete."""
    source = servers.store("s")._backend
    delete = source.delete

    async def change_then_delete(*args: Any, **options: Any) -> Any:
        await servers.store("s").write("in/a.txt", b"later", overwrite=True)
        return await delete(*args, **options)

    monkeypatch.setattr(source, "delete", change_then_delete, raising=False)
    result = cli("mv", "shared://s/in/a.txt", "shared://t/b", code=1)

    assert "changed while it was moved" in result.stderr
    assert servers.files("s")["in/a.txt"] == b"later"


def test_metadata_that_get_lost_are_told(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source had them, and nothing has them now."""
    servers.seed("t", {"there": b""})
    target = servers.store("t")._backend
    kept = target.capabilities

    def fewer(self: object) -> Any:
        return CapabilitySet(set(kept) - {Capability.USER_METADATA}) if self is target else kept

    monkeypatch.setattr(type(target), "capabilities", property(fewer))
    asyncio.run(servers.store("s").write("m", b"1", metadata={"owner": "ann"}))

    assert "user metadata of 1 file left behind" in cli("mv", "shared://s/m", "shared://t/m").stderr
    assert "metadata" not in cli("mv", "shared://s/in/a.txt", "shared://t/b").stderr


@pytest.mark.parametrize("within", [True, False])
def test_links_to_files_of_the_folder_become_files(
    cli: Cli, servers: Servers, tmp_path: Path, within: bool
) -> None:
    """Whatever comes first: no file goes away under the name of a link to it."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "m").write_bytes(b"1")
    for name in ("a", "z"):
        (folder / name).symlink_to("m")

    cli("mv", "-r", str(folder), str(tmp_path / "out") if within else "shared://t/out")

    if within:
        moved = {f"out/{file.name}": file.read_bytes() for file in (tmp_path / "out").iterdir()}
    else:
        moved = servers.files("t")
    assert moved == {"out/a": b"1", "out/m": b"1", "out/z": b"1"}
    assert not folder.exists()


def test_a_source_that_changed_meanwhile_is_kept(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that came after the copy is not deleted."""
    target = servers.store("t")._backend
    write = target.write

    async def write_then_change(*args: Any, **options: Any) -> Any:
        result = await write(*args, **options)
        await servers.store("s").write("in/a.txt", b"later", overwrite=True)
        return result

    monkeypatch.setattr(target, "write", write_then_change, raising=False)
    result = cli("mv", "shared://s/in/a.txt", "shared://t/b", code=1)

    assert "changed while it was moved" in result.stderr
    assert servers.files("s")["in/a.txt"] == b"later"
    assert servers.files("t") == {"b": b"a"}


@pytest.mark.parametrize("fault", ["size", "digest", "content"])
def test_a_copy_that_is_not_equal_keeps_the_source(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Size and digest are compared; with --checksum both contents."""
    from attrs import evolve

    for name in ("s", "t"):
        backend = servers.store(name)._backend
        original = backend.get_file_info

        async def get_file_info(path: str, name: str = name, original: Any = original) -> Any:
            info = await original(path)
            if fault == "size" and name == "t":
                info = evolve(info, size=info.size + 1)
            if fault == "digest":
                info = evolve(info, digest=ContentDigest("md5", "00" if name == "t" else "11"))
            return info

        monkeypatch.setattr(backend, "get_file_info", get_file_info, raising=False)
    if fault == "content":
        target = servers.store("t")._backend
        write = target.write

        async def write_wrong(path: str, content: Any, **options: Any) -> Any:
            return await write(path, b"b", **options)

        monkeypatch.setattr(target, "write", write_wrong, raising=False)

    result = cli("mv", "--checksum", "shared://s/in/a.txt", "shared://t/b", code=1)

    assert servers.files("s")["in/a.txt"] == b"a", result.stderr
    if fault != "digest":
        assert f"is not what it is ({fault})" in result.stderr


def test_a_file_that_cannot_be_copied_stays_and_is_told_once(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are moved."""
    target = servers.store("t")._backend
    write = target.write

    async def write_most(path: str, *args: Any, **options: Any) -> Any:
        if path.endswith("b.bin"):
            msg = "no room"
            raise RemoteStoreError(msg, path=path)
        return await write(path, *args, **options)

    monkeypatch.setattr(target, "write", write_most, raising=False)
    result = cli("mv", "-r", "shared://s/in", "shared://t/out", code=1)

    assert set(servers.files("s")) == {"in/sub/b.bin"}
    assert result.stderr.count("error: ") == 1
    assert result.stderr.endswith("moved 2 files (1 B); 1 failed\n")


def test_a_rename_across_file_systems_becomes_a_copy(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only for that reason: other failures of a move are told, and nothing is lost."""
    backend = servers.store("s")._backend
    reason = errno.EIO

    async def move(*args: Any, **options: Any) -> None:
        msg = "cannot"
        raise RemoteStoreError(msg) from OSError(reason, os.strerror(reason))

    monkeypatch.setattr(backend, "move", move, raising=False)
    cli("mv", "shared://s/in/a.txt", "shared://s/b", code=1)
    assert servers.files("s") == TREE

    reason = errno.EXDEV
    cli("mv", "shared://s/in/a.txt", "shared://s/b")
    assert set(servers.files("s")) == {"b", "in/sub/b.bin", "in/sub/deep/c"}


def test_folders_that_are_empty_afterwards_go(
    cli: Cli, tmp_path: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where folders are real, unless something stayed in one."""
    monkeypatch.chdir(tmp_path)
    for path in ("in/a/x", "in/b/c/y"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("12")
    Path("in/empty").mkdir()

    cli("mv", "-r", "in", "shared://t/out", "--include", "x")
    assert Path("in/a").is_dir()
    cli("mv", "-r", "in", "shared://t/out")

    assert not Path("in").exists()
    assert set(servers.files("t")) == {"out/a/x", "out/b/c/y"}


def test_links_to_folders_stay(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither they nor what they lead to is moved or removed."""
    monkeypatch.chdir(tmp_path)
    for path in ("in/d/x", "far/empty/..", "far/f"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path("in/d/x").write_text("1")
    Path("far/empty").mkdir(exist_ok=True)
    Path("in/link").symlink_to("../far/empty")

    cli("mv", "-r", "--links", "follow", "in", "out", code=2)
    cli("mv", "-r", "--links", "skip", "in", "out")

    assert Path("out/d/x").read_text() == "1"
    assert Path("in/link").is_symlink()
    assert Path("far/empty").is_dir()
    assert not Path("in/d").exists()


def test_a_folder_onto_itself_is_refused(cli: Cli, servers: Servers) -> None:
    """Or into itself, in whatever way it is written."""
    for target in ("in", "in/sub", "in/./sub/x"):
        cli("mv", "-r", "shared://s/in", f"shared://s/{target}", code=2)

    assert servers.files("s") == TREE
