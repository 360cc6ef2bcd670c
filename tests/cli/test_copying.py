"""`cp` and `mv` as a user meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from remote_store import Capability, CapabilitySet

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Servers

TREE = {"in/a.txt": b"a", "in/sub/b.bin": bytes(range(256)), "in/sub/deep/c": b""}


@pytest.fixture(autouse=True)
def _seeded(servers: Servers) -> None:
    servers.seed("s", TREE)


def test_cp_a_file_to_another_store(cli: Cli, servers: Servers) -> None:
    """The content arrives, and the summary says so."""
    result = cli("cp", "shared://s/in/sub/b.bin", "shared://t/new/name.bin")

    assert {"new/name.bin": bytes(range(256))} == servers.files("t")
    assert result.stderr == "copied 1 file (256 B)\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    "target", ["shared://t/", "shared://t", "shared://t/old", "shared://t/old/"]
)
def test_cp_a_file_into_a_folder_keeps_its_name(cli: Cli, servers: Servers, target: str) -> None:
    """A root, an existing folder or a trailing slash is a folder to put the file into."""
    servers.seed("t", {"old/x": b""})

    cli("cp", "shared://s/in/a.txt", target)

    place = "old/a.txt" if "old" in target else "a.txt"
    assert servers.files("t")[place] == b"a"


def test_cp_a_folder_needs_r(cli: Cli, servers: Servers) -> None:
    """Without -r a folder is refused and nothing is written."""
    cli("cp", "shared://s/in", "shared://t/out", code=2)

    assert servers.files("t") == {}


@pytest.mark.parametrize("source", ["shared://s/in", "shared://s/in/"])
def test_cp_recursive_makes_content_into_content(cli: Cli, servers: Servers, source: str) -> None:
    """The content of SRC becomes the content of DST, the first and every other time."""
    for _ in range(2):
        cli("cp", "-r", source, "shared://t/out")

    expected = {path.replace("in/", "out/"): content for path, content in TREE.items()}
    assert expected == servers.files("t")


def test_cp_within_a_store(cli: Cli, servers: Servers) -> None:
    """Within one store the backend copies, metadata included."""
    servers.seed("s", {"m": b"m"}, owner="me")

    result = cli("cp", "shared://s/m", "shared://s/in/m2")

    assert result.stderr == "copied 1 file (1 B)\n"
    assert servers.metadata("s", "in/m2") == {"owner": "me"}


def test_cp_takes_metadata_along_unless_told_not_to(cli: Cli, servers: Servers) -> None:
    """User metadata goes with the content between two stores."""
    servers.seed("s", {"m": b"m"}, owner="me")

    cli("cp", "shared://s/m", "shared://t/with")
    cli("cp", "--no-metadata", "shared://s/m", "shared://t/without")

    assert servers.metadata("t", "with")["owner"] == "me"
    assert "owner" not in servers.metadata("t", "without")


def test_cp_skips_what_is_equal(cli: Cli, servers: Servers) -> None:
    """A repeated copy copies nothing, however it compares."""
    cli("cp", "-r", "shared://s/in", "shared://t/out")

    again = cli("cp", "-r", "shared://s/in", "shared://t/out")
    sure = cli("cp", "-r", "--checksum", "shared://s/in", "shared://t/out")

    assert again.stderr == "copied 0 files (0 B); skipped 3 equal files\n" == sure.stderr


def test_cp_resumes_where_it_stopped(cli: Cli, servers: Servers) -> None:
    """What is there already is skipped, the rest is copied."""
    cli("cp", "shared://s/in/a.txt", "shared://t/out/a.txt")

    result = cli("cp", "-r", "shared://s/in", "shared://t/out")

    assert result.stderr == "copied 2 files (256 B); skipped 1 equal file\n"


def test_cp_refuses_to_replace_what_differs(cli: Cli, servers: Servers) -> None:
    """Without --overwrite a different file stays, the others are copied, and the exit code is 1."""
    servers.seed("t", {"out/a.txt": b"mine!"})

    result = cli("cp", "-r", "shared://s/in", "shared://t/out", code=1)

    message = "error: shared://t/out/a.txt exists and differs (size); --overwrite replaces it\n"
    assert message in result.stderr
    assert "1 failed" in result.stderr
    assert servers.files("t")["out/a.txt"] == b"mine!"
    assert len(servers.files("t")) == 3


def test_cp_overwrite_replaces_what_differs_only(cli: Cli, servers: Servers) -> None:
    """With --overwrite equal files are still skipped."""
    servers.seed("t", {"out/a.txt": b"other"})
    cli("cp", "shared://s/in/sub/b.bin", "shared://t/out/sub/b.bin")

    result = cli("cp", "-r", "--overwrite", "shared://s/in", "shared://t/out")

    summary = "copied 2 files (1 B), 1 of them replaced; skipped 1 equal file\n"
    assert summary == result.stderr
    assert servers.files("t")["out/a.txt"] == b"a"


def test_cp_checksum_sees_what_the_size_does_not(cli: Cli, servers: Servers) -> None:
    """Same size, but other content."""
    servers.seed("t", {"out/a.txt": b"b"})
    copy = ("cp", "shared://s/in/a.txt", "shared://t/out/a.txt")

    blind = cli(*copy, "--compare", "size")
    seeing = cli(*copy, "--checksum", code=1)
    torn = cli(*copy, "--checksum", "--compare", "size", code=2)

    assert "skipped 1 equal file" in blind.stderr
    assert "exists and differs (content); --overwrite" in seeing.stderr
    assert "give one of them" in torn.stderr


def test_cp_an_older_target_is_not_equal(cli: Cli, servers: Servers) -> None:
    """A source that is newer than its copy of the same size is copied again."""
    servers.seed("t", {"a.txt": b"x"})
    servers.seed("s", {"in/a.txt": b"y"})

    cli("cp", "--overwrite", "shared://s/in/a.txt", "shared://t/a.txt")

    assert servers.files("t")["a.txt"] == b"y"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("shared://s/in", "shared://s/in"),
        ("shared://s/in", "shared://s/in/sub/again"),
        ("shared://s/in", "shared://s/in/./"),
        ("shared://s", "shared://s/in"),
        ("shared://s/in/a.txt", "shared://s/in/a.txt"),
        ("shared://s/in/a.txt", "shared://s/in"),
    ],
)
def test_cp_onto_or_into_itself_is_refused(
    cli: Cli, servers: Servers, source: str, target: str
) -> None:
    """A copy that would feed itself is refused before anything is written."""
    cli("cp", "-r", source, target, code=2)

    assert servers.files("s") == TREE


def test_cp_next_to_a_common_prefix_is_fine(cli: Cli, servers: Servers) -> None:
    """Only whole segments count: 'in2' is not in 'in'."""
    cli("cp", "-r", "shared://s/in", "shared://s/in2")

    assert servers.files("s")["in2/a.txt"] == b"a"


def test_cp_a_folder_onto_a_file_is_refused(cli: Cli, servers: Servers) -> None:
    """A file cannot become the parent of others."""
    servers.seed("t", {"out": b"file"})

    cli("cp", "-r", "shared://s/in", "shared://t/out", code=2)

    assert servers.files("t") == {"out": b"file"}


def test_cp_of_what_is_missing(cli: Cli, servers: Servers) -> None:
    """A missing source is one line, and the target's store is not even opened."""
    result = cli("cp", "shared://s/nope", "shared://t/x", code=1)

    assert result.stderr.startswith("error: no such file or folder: shared://s/nope; ")
    assert len(servers.seen_options) == 1


def test_quiet_prints_nothing(cli: Cli) -> None:
    """--quiet leaves out the summary."""
    assert cli("cp", "-q", "shared://s/in/a.txt", "shared://t/x").output == ""


def test_mv_within_a_store(cli: Cli, servers: Servers) -> None:
    """Within one store the file is under its new name only."""
    cli("mv", "shared://s/in/a.txt", "shared://s/out/b.txt")

    assert {"out/b.txt", "in/sub/b.bin", "in/sub/deep/c"} == set(servers.files("s"))


def test_mv_to_another_store(cli: Cli, servers: Servers) -> None:
    """Across stores the copy is there and the source is gone."""
    cli("mv", "shared://s/in/a.txt", "shared://t/")

    assert servers.files("t") == {"a.txt": b"a"}
    assert "in/a.txt" not in servers.files("s")


@pytest.mark.parametrize("host", ["s", "t"])
def test_mv_never_replaces_unasked(cli: Cli, servers: Servers, host: str) -> None:
    """An existing target, even an equal one, is refused and both files stay."""
    servers.seed(host, {"out": b"a"})

    cli("mv", "shared://s/in/a.txt", f"shared://{host}/out", code=1)

    assert servers.files(host)["out"] == b"a"
    assert servers.files("s")["in/a.txt"] == b"a"


def test_mv_overwrite_within_a_store(cli: Cli, servers: Servers) -> None:
    """--overwrite replaces the target."""
    servers.seed("s", {"out": b"old"})

    cli("mv", "--overwrite", "shared://s/in/a.txt", "shared://s/out")

    assert servers.files("s")["out"] == b"a"


def test_mv_refuses_itself_and_folders(cli: Cli, servers: Servers) -> None:
    """A file onto itself, and a folder, are refused; nothing changes."""
    cli("mv", "--overwrite", "shared://s/in/a.txt", "shared://s/in/a.txt", code=2)
    cli("mv", "shared://s/in/a.txt", "shared://s/in/", code=2)
    cli("mv", "shared://s/in", "shared://t/x", code=2)

    assert servers.files("s") == TREE


def test_mv_overwrite_keeps_the_source_when_it_may_be_the_target(
    cli: Cli, servers: Servers
) -> None:
    """Two ways to one file that nothing tells apart: deleting would lose it."""
    result = cli("mv", "--overwrite", "shared://s/in/", "shared://s/in/a.txt", code=2)
    assert "folder" in result.stderr

    result = cli("mv", "--overwrite", "shared://s/in/a.txt", "shared://u@s/in/a.txt", code=2)
    assert "itself" in result.stderr
    assert servers.files("s") == TREE


def test_metadata_that_the_target_cannot_keep_is_counted(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left behind, and the summary says so."""
    servers.seed("s", {"m/a": b"1"}, owner="me")
    target: Any = servers.store("t")._backend
    keeps = type(target).capabilities

    def capabilities(backend: Any) -> CapabilitySet:
        declared: CapabilitySet = keeps.fget(backend)
        poor = CapabilitySet(set(declared) - {Capability.USER_METADATA})
        return poor if backend is target else declared

    monkeypatch.setattr(type(target), "capabilities", property(capabilities))

    result = cli("cp", "shared://s/m/a", "shared://t/m")

    assert result.stderr == "copied 1 file (1 B); user metadata of 1 file left behind\n"


def test_a_source_that_never_rests_is_told(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not copied, and the line says what to do."""
    backend: Any = servers.store("s")._backend
    read = backend.read

    async def restless(path: str, **options: Any) -> Any:
        async for chunk in read(path, **options):
            yield chunk
        await servers.store("s").write(path, b"more" * (1 << 19), overwrite=True)

    monkeypatch.setattr(backend, "read", restless, raising=False)
    servers.seed("s", {"big": b"x" * (2 << 20)})

    result = cli("cp", "shared://s/big", "shared://t/big", code=1)

    assert "changed while it was copied" in result.stderr
    assert result.stderr.endswith("; the same command looks again\n")
    assert servers.files("t") == {}
