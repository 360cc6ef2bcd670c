"""A backend whose stores outlive a command, and a way to run commands on them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner, Result

from remote_store import register_backend, unregister_backend
from remote_store.aio import AsyncStore
from remote_store_cli._app import app
from remote_store_memory import AsyncMemoryBackend


class SharedBackend(AsyncMemoryBackend):
    """``shared://NAME/path``: one memory backend for each name, as long as the test runs."""

    servers: ClassVar[dict[str, SharedBackend]] = {}
    seen_options: ClassVar[list[dict[str, Any]]] = []

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[SharedBackend, str]:
        cls.seen_options.append(options)
        parts = urlsplit(url)
        server = cls.servers.setdefault(parts.netloc.rpartition("@")[2], cls())
        return server, unquote(parts.path).strip("/")


class Installed:
    """Throw-away distributions and the installed command, run as a child process."""

    def __init__(self, site: Path) -> None:
        self.site = site
        site.mkdir()

    def add(self, distribution: str, entry_points: str = "", **modules: str) -> None:
        """Write the metadata that an installer would, and the modules."""
        info = self.site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        if entry_points:
            (info / "entry_points.txt").write_text(f"[remote_store.backends]\n{entry_points}\n")
        for module, source in modules.items():
            (self.site / f"{module}.py").write_text(source)
        (info / "RECORD").write_text("".join(f"{module}.py,,\n" for module in modules))

    def start(self, *args: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start the console script that the installation made."""
        script = Path(sys.executable).with_name("remote-store")
        ours = ("REMOTE_STORE_", "PYTHON")
        env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        env |= {"PYTHONPATH": str(self.site), "PYTHONWARNINGS": "error", **options.pop("env", {})}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        # A test run in the background has Ctrl-C switched off, which children inherit.
        heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        return subprocess.Popen([str(script), *args], env=env, **{"preexec_fn": heed, **pipes})

    def run(self, *args: str, **options: Any) -> tuple[int, bytes, str]:
        """Return exit code, standard output and standard error."""
        with self.start(*args, **options) as child:
            out, err = child.communicate(timeout=30)
        return child.returncode, out, err.decode()


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Give the installed command a folder of distributions of its own."""
    return Installed(tmp_path / "site")


class Servers:
    """What the tests do to the shared stores behind the command's back."""

    def store(self, name: str) -> AsyncStore:
        return AsyncStore(SharedBackend.servers.setdefault(name, SharedBackend()))

    def seed(self, name: str, files: Mapping[str, bytes], **metadata: str) -> None:
        async def write() -> None:
            for path, content in files.items():
                await self.store(name).write(
                    path, content, overwrite=True, metadata=metadata or None
                )

        asyncio.run(write())

    def files(self, name: str) -> dict[str, bytes]:
        async def read() -> dict[str, bytes]:
            store = self.store(name)
            found = [f.path.as_posix() async for f in store.list_files("", recursive=True)]
            return {path: await store.read_bytes(path) for path in sorted(found)}

        return asyncio.run(read())

    def metadata(self, name: str, path: str) -> dict[str, str]:
        info = asyncio.run(self.store(name).get_file_info(path))
        return dict(info.metadata or {})

    @property
    def seen_options(self) -> list[dict[str, Any]]:
        return SharedBackend.seen_options


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Serve ``shared://`` from an empty set of memory backends."""
    register_backend("shared", SharedBackend)
    SharedBackend.servers.clear()
    SharedBackend.seen_options.clear()
    yield Servers()
    unregister_backend("shared")
    SharedBackend.servers.clear()


class Creating(AsyncMemoryBackend):
    """A backend with a root that its constructor may create."""

    asked: ClassVar[list[bool]] = []

    def __init__(self, create_root: bool = True) -> None:
        super().__init__()
        self.asked.append(create_root)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Creating, str]:
        return cls(**options), ""


@pytest.fixture
def creating() -> Iterator[list[bool]]:
    """Serve ``creating://``; what it was asked to do about its root."""
    register_backend("creating", Creating)
    Creating.asked.clear()
    yield Creating.asked
    unregister_backend("creating")


class Cli(Protocol):
    """Runs one command in this process."""

    def __call__(self, *args: str, code: int = 0) -> Result:
        """Return the result, once its exit code is what is expected."""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the application; an exception that is no exit is the test's failure."""
    monkeypatch.delenv("REMOTE_STORE_CONFIG", raising=False)
    runner: Callable[..., Result] = CliRunner().invoke

    def run(*args: str, code: int = 0) -> Result:
        result = runner(app, list(args), catch_exceptions=False)
        assert code == result.exit_code, result.output
        if code:
            assert "Traceback" not in result.output
        return result

    return run
