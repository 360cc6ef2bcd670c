"""Every example runs, as its own text says."""

from __future__ import annotations

import importlib.util
import os
import runpy
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import ModuleType

import pytest

from remote_store.aio import AsyncStore
from remote_store_memory import AsyncMemoryBackend

Run = Callable[..., str]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def python(root: Path, acme: Path, tmp_path: Path) -> Run:
    """Run a Python command in an empty folder, with the example plugin installed."""

    def run(*arguments: str | Path, cwd: Path = tmp_path) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "error", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(acme)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_mirror_copies_once(python: Run, root: Path, tmp_path: Path) -> None:
    """The second run has nothing to do; the files are in the other storage."""
    source = tmp_path / "in"
    for number in range(40):
        (source / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (source / f"{number % 3}" / f"{number}.txt").write_text("x" * number)
    program = root / "examples" / "mirror.py"
    command = (program, "local:in", "acme:///copy", "--option", "database=files.db")

    assert python(*command) == "40 files copied\n"
    assert python(*command) == "0 files copied\n"
    (source / "0" / "0.txt").write_text("longer")
    assert python(*command) == "1 files copied\n"
    assert (tmp_path / "files.db").stat().st_size > 0


class Busy(AsyncMemoryBackend):
    """Somebody writes each file anew while it is read, with the same size."""

    async def read(self, path: str) -> AsyncGenerator[bytes, None]:
        async for chunk in super().read(path):
            yield chunk
        await self.write(path, b"new", overwrite=True)


@pytest.mark.asyncio
async def test_mirror_copies_one_version_or_nothing(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that changes meanwhile is reported, and the old copy stays."""
    program = runpy.run_path(str(root / "examples" / "mirror.py"))
    source, target = AsyncStore(Busy()), AsyncStore(AsyncMemoryBackend())
    await target.write("a", b"older")
    await source.write("a", b"old")

    assert await program["mirror"](source, target) == 0
    assert "a changed while it was read" in capsys.readouterr().err
    assert await target.read_bytes("a") == b"older"


@pytest.mark.asyncio
async def test_mirror_copies_what_is_newer(root: Path) -> None:
    """The size alone does not tell that a copy is current."""
    program = runpy.run_path(str(root / "examples" / "mirror.py"))
    source, target = AsyncStore(AsyncMemoryBackend()), AsyncStore(AsyncMemoryBackend())
    await target.write("a", b"old")
    await source.write("a", b"new")

    assert await program["mirror"](source, target) == 1
    assert await target.read_bytes("a") == b"new"


def test_first_one_wins(python: Run, root: Path) -> None:
    """One leader among files as well as among rows."""
    for url in ("local:election", "memory://"):
        assert python(root / "examples" / "first_one_wins.py", url) == "1 leader, 19 followers\n"


def test_traffic(python: Run, root: Path) -> None:
    """Each operation is counted, the failed one as such, and all bytes both ways."""
    assert python(root / "examples" / "traffic.py") == (
        "read 1000\ndelete error: 1\nread ok: 1\nwrite ok: 3\n4000 bytes\n"
    )


@pytest.mark.long
def test_acme_passes_its_own_tests(python: Run, root: Path) -> None:
    """The example plugin is tested by what it ships, against the installed package."""
    project = root / "examples" / "acme-backend"
    options = ("-p", "no:cacheprovider", "--import-mode=importlib", "-q")
    printed = python("-m", "pytest", *options, "-c", project / "pyproject.toml", project / "tests")

    assert " passed" in printed
    assert "skipped" not in printed


@pytest.fixture
def demo(root: Path) -> ModuleType:
    """The program behind ``make demo``."""
    spec = importlib.util.spec_from_file_location("demo", root / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["demo"]
    return module


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A small source tree for the demo, and a place for its data."""
    monkeypatch.setenv("DEMO_DATA", "overwritten by the demo")
    source = tmp_path / "source"
    (source / "deep" / "down").mkdir(parents=True)
    for number, folder in enumerate((source, source / "deep", source / "deep" / "down")):
        (folder / "__init__.py").write_bytes(b"x = 1\n" * number)
        (folder / "notes.txt").touch()
    return ["--source", str(source), "--data", str(tmp_path / "data")]


def test_demo_runs_again_over_its_own_data(
    demo: ModuleType, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It copies, verifies and leaves the files; a second run replaces them."""
    for _ in range(2):
        assert demo.main(arguments) == 0
    printed = capsys.readouterr()

    assert printed.out.count("Everything verified in") == 2
    assert printed.err == ""
    copied = {path.name for path in (tmp_path / "data" / "files").rglob("*") if path.is_file()}
    assert copied == {"__init__.py"}


def test_demo_leaves_a_foreign_folder_alone(
    demo: ModuleType, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a folder that the demo made is ever removed."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious").touch()

    assert demo.main(arguments) == 1
    assert "was not made by this demo" in capsys.readouterr().err
    assert (tmp_path / "data" / "precious").exists()


@pytest.mark.parametrize("damage", ["changed", "missing", "extra"])
def test_demo_fails_when_a_copy_is_not_equal(
    demo: ModuleType,
    arguments: list[str],
    damage: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A single wrong file in any store makes the exit status 1 and is named."""
    copy_all = demo.copy_all

    async def damaged(files: list[object], source: AsyncStore, target: AsyncStore) -> None:
        await copy_all(files, source, target)
        if damage == "changed":
            await target.write("deep/__init__.py", b"x = 2\n", overwrite=True)
        elif damage == "extra":
            await target.write("deep/more.py", b"")
        elif source.supports(demo.Capability.GLOB) and not target.supports(demo.Capability.GLOB):
            await target.delete("deep/__init__.py")

    monkeypatch.setattr(demo, "copy_all", damaged)
    status = 1
    try:
        status = demo.main(arguments)
    except* FileNotFoundError:
        assert damage == "missing"
    printed = capsys.readouterr()

    assert status == 1
    assert "Everything verified" not in printed.out
    if damage == "changed":
        assert "deep/__init__.py differs" in printed.err
    if damage == "extra":
        assert "4 files in" in printed.err
