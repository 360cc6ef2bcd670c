"""The installed command as a process of its own, on the local plugin: what a shell sees."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Installed

pytestmark = pytest.mark.slow

#: Serves files that never end, and tells on standard output when one is being read.
SLOW = """
import asyncio, os
from remote_store import FileInfo, RemotePath
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    async def is_file(self, path):
        return path.startswith("file")

    async def is_folder(self, path):
        return not await self.is_file(path)

    async def list_files(self, path, **options):
        for i in range(20):
            yield FileInfo(RemotePath(f"{path}/file{i}"), f"file{i}", 10**9, None)

    async def get_file_info(self, path):
        return FileInfo(RemotePath(path), path, 10**9, None)

    async def read(self, path):
        while True:
            yield b"x" * 3_000_000
            os.write(1, b".")
            await asyncio.sleep(0.05)
"""
REFUSING = """
from remote_store import FolderInfo, PermissionDenied
from remote_store_memory import AsyncMemoryBackend

def refused(*names):
    first, *others = [PermissionDenied("no entry", path=name, backend="bad") for name in names]
    first.others = tuple(others)
    return first

class Backend(AsyncMemoryBackend):
    @classmethod
    async def from_url(cls, url, **options):
        backend = cls()
        await backend.write("seen", b"ok")
        return backend, ""

    async def list_files(self, path, **options):
        async for file in super().list_files(path, **options):
            yield file
        raise refused("locked", "\\x1b]0;evil\\x07")

    async def get_folder_info(self, path):
        raise refused("locked")
"""
BROKEN = """
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    async def get_file_info(self, path):
        raise LookupError("a defect of the plugin")

    async def is_file(self, path):
        return True
"""


def everything_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["ls", "."], 0),
        (["cat", "missing"], 1),
        (["cat", "local:///no/such/folder/x"], 1),
        (["ls"], 2),
        (["ls", "--no-such-option", "."], 2),
        (["nonsense"], 2),
        (["ls", "local:data"], 2),
        (["rm", "-r", "local:///"], 2),
        (["cp", "x", "y", "--jobs", "0"], 2),
        (["ls", "nonesuch://x"], 3),
    ],
)
def test_exit_codes(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    """The documented exit codes, and never a traceback."""
    (tmp_path / "f").write_bytes(b"")
    monkeypatch.chdir(tmp_path)

    assert (code != 0) == bool(cli(*arguments, code=code).stderr)


def test_exit_codes_of_the_process(installed: Installed, tmp_path: Path) -> None:
    """The console script ends with the code of the command."""
    for arguments, code in ((["ls", "."], 0), (["cat", "missing"], 1), (["nonsense"], 2)):
        got, _, err = installed.run(*arguments, cwd=tmp_path)
        assert code == got, err
        assert "Traceback" not in err
        assert (code != 0) == bool(err)


def test_a_copy_on_the_local_plugin(installed: Installed, tmp_path: Path) -> None:
    """A tree arrives byte for byte, a second run skips it, and odd names are no obstacle."""
    files = {"a": b"a", "sub/50% off?#1": os.urandom(3_000_000), "sub/d/ü": b""}
    for name, content in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    first = installed.run("cp", "-r", "in", "out", cwd=tmp_path)
    second = installed.run("cp", "-r", "in", f"local://{tmp_path}/out/", cwd=tmp_path)

    assert first == (0, b"", "copied 3 files (2.9 MiB)\n")
    assert second[2] == "copied 0 files (0 B); skipped 3 files equal by size and time\n"
    assert sorted(files) == everything_below(tmp_path / "out")
    for name, content in files.items():
        assert content == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "no/such/folder"],
        ["cat", "no/such/file"],
        ["info", "no/such/file"],
        ["tree", "local://{}/no/such/"],
        ["rm", "-r", "no/such/folder"],
        ["rm", "--missing-ok", "no/such/file"],
        ["cp", "no/such/file", "new/folder/x"],
        ["mv", "no/such/file", "new/folder/x"],
    ],
)
def test_looking_creates_no_folder(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A location that is read, or whose source is missing, leaves the disk as it was."""
    work = tmp_path / "work"
    work.mkdir()

    monkeypatch.chdir(work)

    cli(*[a.format(work) for a in arguments], code="--missing-ok" not in arguments)

    assert list(work.iterdir()) == []


BUFFERED = pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="buffered"),
        pytest.param({"PYTHONUNBUFFERED": "1"}, id="not", marks=pytest.mark.long),
    ],
)


@BUFFERED
@pytest.mark.parametrize("command", ["cat", "ls"])
def test_a_closed_pipe_is_no_error(
    installed: Installed, tmp_path: Path, command: str, env: dict[str, str]
) -> None:
    """A reader that has seen enough ends the command, without a word on standard error."""
    if command == "cat":
        (tmp_path / "big").write_bytes(b"x" * 5_000_000)
        arguments = ["cat", "big"]
    else:
        for i in range(3000):
            (tmp_path / f"{i:04}{'x' * 60}").touch()
        arguments = ["ls", "."]

    with installed.start(*arguments, cwd=tmp_path, env=env) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read(1)
        child.stdout.close()
        err = child.stderr.read()
        child.wait(timeout=30)

    assert (child.returncode, err) == (0, b"")


@pytest.mark.long
@BUFFERED
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["ls", "."], 0), (["doctor"], 3), (["backends", "--capabilities"], 3), (["cat", "no"], 1)],
)
def test_a_pipe_that_nobody_reads_keeps_the_exit_code(
    installed: Installed, tmp_path: Path, arguments: list[str], code: int, env: dict[str, str]
) -> None:
    """Output that is still buffered at the end is dropped without a word."""
    installed.add("acme-store", "acme = acme_store:Backend", acme_store="import no_such_sdk")
    reader, writer = os.pipe()
    os.close(reader)

    got, _, err = installed.run(*arguments, cwd=tmp_path, stdout=writer, env=env)
    os.close(writer)

    assert got == code
    assert all(line.startswith("error: ") for line in err.splitlines())


def test_an_ascii_terminal_gets_an_ascii_tree(installed: Installed, tmp_path: Path) -> None:
    """What cannot be encoded is drawn otherwise or escaped, and does not fail."""
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "ü").touch()

    code, out, err = installed.run("tree", ".", cwd=folder, env={"PYTHONIOENCODING": "ascii"})

    assert (code, err) == (0, "")
    assert out == b".\n`-- \\xfc\n\n0 folders, 1 file\n"


@BUFFERED
def test_a_full_disk_is_an_error(installed: Installed, tmp_path: Path, env: dict[str, str]) -> None:
    """Output that cannot be written is one line and exit code 1."""
    (tmp_path / "f").write_bytes(b"content")

    with Path("/dev/full").open("wb") as full:
        code, _, err = installed.run("cat", "f", cwd=tmp_path, stdout=full, env=env)

    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_ctrl_c_in_a_copy_leaves_no_part_of_a_file(installed: Installed, tmp_path: Path) -> None:
    """Interrupted in the middle of eight files: exit 130, old content stays, no temporary file."""
    installed.add("slow-store", "slow = slow_store:Backend", slow_store=SLOW)
    out = tmp_path / "out"
    out.mkdir()
    (out / "file3").write_bytes(b"old")

    with installed.start("cp", "-r", "--overwrite", "slow:///in", str(out)) as child:
        assert child.stdout is not None
        child.stdout.read(12)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)

    assert (child.returncode, err) == (130, b"error: interrupted\n")
    assert everything_below(out) == ["file3"]
    assert (out / "file3").read_bytes() == b"old"


@pytest.mark.parametrize("deaf", [False, True])
def test_sigterm_ends_a_copy_in_good_order(
    installed: Installed, tmp_path: Path, deaf: bool
) -> None:
    """Nothing half is left, also where the process does not hear of Ctrl-C."""
    installed.add("slow-store", "slow = slow_store:Backend", slow_store=SLOW)
    out = tmp_path / "out"

    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN if deaf else signal.SIG_DFL)

    with installed.start("cp", "-r", "slow:///in", str(out), preexec_fn=ignore) as child:
        assert child.stdout is not None
        child.stdout.read(12)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=30)

    assert (child.returncode, err) == (143, b"error: terminated\n")
    assert everything_below(out) == []


def test_sigterm_outside_of_a_command_has_its_own_exit_code() -> None:
    """While arguments are read or modules imported, say: no Ctrl-C has come."""
    program = """
import signal
from remote_store_cli import _app
_app.app.command("stop")(lambda: signal.raise_signal(signal.SIGTERM))
_app.main()
"""
    child = subprocess.run(
        [sys.executable, "-c", program, "stop"],
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )

    assert 143 == child.returncode


@pytest.mark.parametrize("stderr", ["full", "unread"])
def test_what_nobody_reads_of_failures_stops_no_copy(
    installed: Installed, tmp_path: Path, stderr: str
) -> None:
    """Every other file is copied, and the exit code tells that some were not."""
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.mkdir()
    dst.mkdir()
    for i in range(60):
        (src / f"f{i:02}").write_text("new")
        if i < 40:
            (dst / f"f{i:02}").write_text("another")

    reader, unread = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full, open(unread, "wb") as pipe:
        out = full if stderr == "full" else pipe
        with installed.start("cp", "-r", str(src), str(dst), stderr=out) as child:
            code = child.wait(timeout=30)

    assert 1 == code
    assert ["new"] * 20 == [path.read_text() for path in sorted(dst.iterdir())[40:]]


def test_ctrl_c_while_printing(installed: Installed) -> None:
    """A command that only reads ends the same way."""
    installed.add("slow-store", "slow = slow_store:Backend", slow_store=SLOW)

    with installed.start("cat", "slow:///file1") as child:
        assert child.stdout is not None
        child.stdout.read(3_000_000)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)

    assert (child.returncode, err) == (130, b"error: interrupted\n")


def test_a_defect_of_a_plugin_is_shown_as_one(installed: Installed) -> None:
    """An exception that is nobody's mistake keeps its traceback, without the values in it."""
    installed.add("broken-store", "broken = broken_store:Backend", broken_store=BROKEN)

    code, _, err = installed.run("info", "broken:///x", "-o", "password=hunter22", "-o", "a=b")
    assert code == 2
    assert "hunter22" not in err

    code, _, err = installed.run("info", "broken:///x")
    assert code == 1
    assert "LookupError: a defect of the plugin" in err


def test_progress_is_for_terminals(installed: Installed, tmp_path: Path) -> None:
    """On a terminal a bar with a rate is drawn; --quiet draws none."""
    (tmp_path / "f").write_bytes(os.urandom(1_000_000))

    drawn = on_a_terminal(installed, tmp_path, "cp", "f", "g")
    quiet = on_a_terminal(installed, tmp_path, "cp", "-q", "f", "h")

    assert b"copying" in drawn
    assert b"copied 1 file (976.6 KiB)" in drawn
    assert quiet == b""
    assert (tmp_path / "f").read_bytes() == (tmp_path / "g").read_bytes()


def test_no_color_is_respected(installed: Installed, tmp_path: Path) -> None:
    """With NO_COLOR the bar has no colour; without it it has."""
    (tmp_path / "f").write_bytes(b"content")
    colour = b"\x1b[38;5;"

    env = {"TERM": "xterm-256color", "COLORTERM": ""}
    plain = on_a_terminal(installed, tmp_path, "cp", "f", "g", env=env | {"NO_COLOR": "1"})
    coloured = on_a_terminal(installed, tmp_path, "cp", "f", "h", env=env)

    assert colour not in plain
    assert colour in coloured


def test_a_terminal_sees_every_failure_and_obeys_none(installed: Installed, tmp_path: Path) -> None:
    """A name steers nothing while a bar is drawn, and a folder without a sum is copied anyway."""
    installed.add("bad-store", "bad = bad_store:Backend", bad_store=REFUSING)

    drawn = on_a_terminal(installed, tmp_path, "cp", "-r", "bad:///", "out/", code=1)

    assert b"copied 1 file (2 B); 2 failed" in drawn
    assert b"\\x1b]0;evil" in drawn
    assert b"\x1b]0;evil" not in drawn
    assert everything_below(tmp_path / "out") == ["seen"]


def on_a_terminal(
    installed: Installed,
    cwd: Path,
    *args: str,
    env: dict[str, str] | None = None,
    code: int = 0,
) -> bytes:
    """Run a command whose standard error is a terminal, and return what it drew there."""
    reader, writer = pty.openpty()
    env = {"TERM": "xterm", **(env or {})}
    child = installed.start(*args, cwd=cwd, stderr=writer, stdout=subprocess.DEVNULL, env=env)
    os.close(writer)
    drawn = b""
    try:
        while piece := os.read(reader, 65536):
            drawn += piece
    except OSError:  # Linux says EIO when the last writer is gone
        pass
    os.close(reader)
    assert child.wait(timeout=30) == code, drawn
    return drawn


def test_a_plugin_that_is_no_backend(installed: Installed) -> None:
    """A class that lacks the protocol's members is a plugin problem of one line."""
    source = "class Backend:\n    def __init__(self, **options): pass\n"
    installed.add("odd-store", "odd = odd_store:Backend", odd_store=source)

    code, _, err = installed.run("ls", "odd:///x")

    assert code == 3
    assert "Backend is no backend: it lacks name" in err
    assert err.count("\n") == 1


def test_the_package_is_light() -> None:
    """Importing it imports neither the core nor the libraries of the command line."""
    code = "import sys, remote_store_cli; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"typer", "rich", "remote_store", "asyncio"} & set(out.stdout.split())


def test_help_imports_no_plugin() -> None:
    """The help is there without any plugin, progress bar or look at the distributions."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "sys.argv = ['remote-store', '--help']\n"
        "import remote_store_cli; remote_store_cli.main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    imported = set(run.stderr.split())
    assert "Copy a file" in run.stdout
    assert (
        not {
            "remote_store_local",
            "remote_store_memory",
            "aiofiles",
            "rich.progress",
            "importlib.metadata",
        }
        & imported
    )


@pytest.mark.parametrize(
    "closed",
    [
        *(pytest.param(some, marks=pytest.mark.long) for some in (">&-", "2>&-", ">&- 2>&-")),
        "<&- >&- 2>&-",
    ],
)
@pytest.mark.parametrize("arguments", [["ls", "."], ["cat", "f"], ["cp", "f", "g"], ["doctor"]])
def test_a_closed_stream_is_no_failure(
    installed: Installed, tmp_path: Path, arguments: list[str], closed: str
) -> None:
    """What nobody wants to hear is not said; what was to be done is done."""
    (tmp_path / "f").write_bytes(b"content")
    script = Path(sys.executable).with_name("remote-store")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REMOTE_STORE_", "PYTHON"))}

    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" "$@" {closed}', script, *arguments],
        cwd=tmp_path,
        env=env | {"PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    if arguments[0] == "cp":
        assert (tmp_path / "g").read_bytes() == b"content"


def odd_names(folder: Path) -> None:
    """Make a folder with a file, a subfolder and names that no path in a store can have."""
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "f").write_bytes(b"f")
    (folder / "back\\slash").write_bytes(b"b")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b"x")


@pytest.mark.long
def test_names_that_are_left_out_are_a_failure(installed: Installed, tmp_path: Path) -> None:
    """A copy that is not whole does not end with 0, and the log is shown as a warning."""
    odd_names(tmp_path / "in")

    code, _, err = installed.run("cp", "-r", "in", "out", cwd=tmp_path)
    quiet = installed.run("cp", "-r", "-q", "in", "quiet", cwd=tmp_path)
    within = installed.run("cp", "-r", "in/sub", "whole", cwd=tmp_path)

    warned, summary = err.splitlines()
    assert code == 1
    assert warned.startswith("warning: ")
    assert summary == "copied 1 file (1 B); names that no path can have left out"
    assert (quiet[0], quiet[2].count("\n")) == (1, 1)
    assert within == (0, b"", "copied 1 file (1 B)\n")


def test_a_root_that_is_not_emptied_is_a_failure(installed: Installed, tmp_path: Path) -> None:
    """What a listing does not show is not removed, and that is said."""
    odd_names(tmp_path / "in")

    code, _, err = installed.run("rm", "-r", "--yes", f"local://{tmp_path}/in/")

    assert code == 1
    assert err.startswith("warning: ")
    assert len(list((tmp_path / "in").iterdir())) == 2


def test_a_value_error_of_a_plugin_is_one_line(installed: Installed, tmp_path: Path) -> None:
    """A name or metadata that a backend refuses is no defect: in one copy as in many."""
    source = """
from remote_store_memory import AsyncMemoryBackend

class Backend(AsyncMemoryBackend):
    async def write_atomic(self, path, content, **options):
        raise ValueError("metadata key 'a-b' is no identifier")
"""
    installed.add("picky-store", "picky = picky_store:Backend", picky_store=source)
    (tmp_path / "f").write_bytes(b"content")

    one = installed.run("cp", "f", "picky://", cwd=tmp_path)
    many = installed.run("cp", "-r", ".", "picky://", cwd=tmp_path)

    assert one == (1, b"", "error: metadata key 'a-b' is no identifier\n")
    assert many[0] == 1
    assert "error: f: metadata key 'a-b' is no identifier\n" in many[2]
