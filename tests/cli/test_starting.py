"""What a run loads: what its command needs, and the table of commands instead of the others."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import remote_store_cli
from remote_store_cli._app import app
from remote_store_cli._commands import Later

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

#: What no command on files of this machine has a use for.
FOREIGN = {
    *("aiohttp", "azure", "botocore", "dask", "fsspec", "pydantic", "remote_store_azure"),
    *("remote_store_fsspec", "remote_store_memory", "remote_store_objects", "remote_store_s3"),
    *("rich", "tomllib", "typer", "urllib.request"),
}
#: A process whose coverage is measured loads what that needs.
UNCOVERED = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
CORE = {"asyncio", "remote_store", "remote_store_local", "remote_store_transfer"}


def loaded_by(folder: Path, *arguments: str) -> tuple[set[str], str]:
    """Run a command in a process of its own; return the modules that it loaded, and its output."""
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"sys.argv = ['remote-store', *{arguments!r}]\n"
        "import remote_store_cli; remote_store_cli.main()"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env=UNCOVERED,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(run.stderr.splitlines()[-1].split()), run.stdout


def test_the_package_is_light(tmp_path: Path) -> None:
    """Importing it imports neither the core nor the libraries of the command line."""
    code = "import sys, remote_store_cli; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not ({"click", "rich"} | CORE) & set(out.stdout.split())


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], ["completion", "bash"]])
def test_what_needs_no_store_loads_no_core(tmp_path: Path, arguments: list[str]) -> None:
    """Nor does it look at the distributions; nor wrong usage, as far as that shows at once."""
    loaded, out = loaded_by(tmp_path, *arguments)

    assert out
    assert not (FOREIGN | CORE | {"importlib.metadata"}) & loaded
    assert not CORE & loaded_by(tmp_path, "nonsense")[0]


def test_the_version_loads_no_core(tmp_path: Path) -> None:
    """It is in the metadata of the distributions."""
    loaded, out = loaded_by(tmp_path, "--version")

    assert out.startswith("remote-store ")
    assert not (FOREIGN | CORE) & loaded


@pytest.mark.parametrize(
    "arguments", [["cp", "-r", "in", "out"], ["ls", "-lr", "in"], ["rm", "in/f"], ["du", "in"]]
)
def test_files_of_this_machine_need_no_more_than_that(tmp_path: Path, arguments: list[str]) -> None:
    """No other plugin, no library of HTTP, and no progress bar where none is drawn."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "f").write_bytes(b"content")

    loaded, _ = loaded_by(tmp_path, *arguments)

    assert "remote_store_local" in loaded
    assert not FOREIGN & loaded
    others = {f"remote_store_cli.{row.place.partition(':')[0]}" for row in rows()}
    module = app.commands[arguments[0]]
    assert isinstance(module, Later)
    own = {f"remote_store_cli.{module.place.partition(':')[0]}"}
    # `find` shows files as `ls` does.
    assert others & loaded <= own | {"remote_store_cli._listing"}


def test_listings_load_no_engine(tmp_path: Path) -> None:
    """Nor do the removals of single files: nothing is transferred."""
    (tmp_path / "f").write_bytes(b"content")

    for arguments in (["ls", "-r", "."], ["tree", "."], ["info", "f"], ["rm", "f"]):
        loaded, _ = loaded_by(tmp_path, *arguments)
        assert "remote_store_local" in loaded
        assert "remote_store_transfer" not in loaded


def test_garbage_is_collected_as_soon_as_a_command_begins(cli: Cli) -> None:
    """It is not while the program is loaded, which makes none."""
    gc.disable()
    try:
        cli("completion", "bash")
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def rows() -> list[Later]:
    """Return the table of commands."""
    found = [row for row in app.commands.values() if isinstance(row, Later)]
    assert len(found) == len(app.commands)
    return found


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row.name))
def test_the_table_says_what_the_command_says(row: Later) -> None:
    """Its name and the first paragraph of its help, which `--help` shows without loading it."""
    command = row.load()

    summary = " ".join((command.help or "").partition("\n\n")[0].split())
    if row.hidden:
        assert (row.help, row.name) == ("", "__complete")
    else:
        assert (row.help, row.name) == (summary, command.name)


def test_the_table_has_every_command() -> None:
    """Each command of a module is in it, or in a group that is."""
    modules = [
        importlib.import_module(f"remote_store_cli.{module.name}")
        for module in pkgutil.iter_modules(remote_store_cli.__path__)
        if module.name not in ("__main__", "_app")
    ]
    defined = {
        id(value)
        for module in modules
        for value in vars(module).values()
        if isinstance(value, click.Command)
    }
    loaded = [row.load() for row in rows()]
    below = [
        one for group in loaded if isinstance(group, click.Group) for one in group.commands.values()
    ]

    assert defined == {id(command) for command in (*loaded, *below)}


def without(module: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where a module cannot be imported."""
    (folder / module).mkdir(exist_ok=True)
    (folder / module / "__init__.py").write_text("raise ImportError('half of it')\n")
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "import remote_store_cli; remote_store_cli.main()"
    )
    command = [sys.executable, "-P", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_module_that_cannot_be_imported_is_explained(tmp_path: Path) -> None:
    """One line and the exit code of plugins, also where the command is loaded late."""
    broken = without("remote_store", tmp_path, "ls", "x")

    assert (broken.returncode, broken.stderr.count("\n")) == (3, 1)
    assert "remote-store cannot start (ImportError: half of it)" in broken.stderr
    assert without("remote_store", tmp_path, "--help").returncode == 0


@pytest.mark.parametrize("module", ["remote_store_transfer", "rich", "pluggy"])
def test_doctor_finds_what_only_some_commands_need(tmp_path: Path, module: str) -> None:
    """The others run without it, and the error of those that need it says: ask doctor."""
    found = without(module, tmp_path, "doctor")

    assert (found.returncode, found.stderr) == (3, "")
    assert "ImportError: half of it" in found.stdout
    assert without(module, tmp_path, "ls", str(tmp_path)).returncode == 0


def test_what_a_command_loads_late_is_explained(tmp_path: Path) -> None:
    """Such as the engine's filters, which a listing without one does not need."""
    broken = without("remote_store_transfer", tmp_path, "ls", str(tmp_path), "--newer", "7d")

    assert (broken.returncode, broken.stderr.count("\n")) == (3, 1)
    assert "remote-store cannot start (ImportError: half of it)" in broken.stderr
