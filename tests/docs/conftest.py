"""The Markdown pages of the repository, and what runs their code blocks."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import re
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from attrs import frozen
from azure.storage.filedatalake import FileSystemClient
from tests.s3 import moto

from hns_emulator import HnsEmulator

ROOT = Path(__file__).resolve().parents[2]

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("examples/*/README.md"),
    ]
)

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S
)
_TITLE = re.compile(r'title="([^"]*)"')
_SNIPPET = re.compile(r'^--8<-- "([^"]+)"\n', re.M)


@frozen
class Block:
    """
    A fenced block of a page.

    Args:
        page: The page.
        line: Number of its first line of content.
        language: First word after the fence.
        title: The ``title`` attribute, or None.
        text: Its content, snippets included.
    """

    page: Path
    line: int
    language: str
    title: str | None
    text: str


def blocks_of(page: Path, text: str | None = None) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text() if text is None else text
    found = []
    for match in _FENCE.finditer(text):
        info = match["info"].strip()
        title = _TITLE.search(info)
        body = _SNIPPET.sub(lambda m: (ROOT / m[1]).read_text(), textwrap.dedent(match["body"]))
        found.append(
            Block(
                page,
                text.count("\n", 0, match.start("body")) + 1,
                info.split()[0] if info else "",
                title[1] if title else None,
                body,
            )
        )
    return found


class Session:
    """
    Runs the blocks of one page as a reader would type them.

    Python blocks share a namespace and may use ``await`` at the top level. A
    block with the name of a file as its title is that file as well. A block
    titled "Output" is what the block before it prints.
    """

    def __init__(self) -> None:
        self._module = types.ModuleType("page")
        self._printed: str | None = None

    def run(self, blocks: list[Block]) -> int:
        """Run all blocks; return how many held code."""
        with asyncio.Runner() as runner:
            return sum(self._step(runner, block) for block in blocks)

    def _step(self, runner: asyncio.Runner, block: Block) -> bool:
        if block.title == "Output":
            assert self._printed is not None, f"{block.page}:{block.line}: output of nothing"
            assert self._printed == block.text, f"{block.page}:{block.line}"
            self._printed = None
            return False
        if block.title:
            path = Path(block.title)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language != "python":
            return False
        code = compile(
            "\n" * (block.line - 1) + block.text,
            block.page,
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
            dont_inherit=True,
        )
        printed = StringIO()
        with redirect_stdout(printed):
            result = eval(code, self._module.__dict__)
            if result is not None:
                runner.run(result)
        self._printed = printed.getvalue() or None
        return True


@pytest.fixture
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(name="blocks_of")
def _blocks_of() -> Callable[..., list[Block]]:
    return blocks_of


@pytest.fixture(scope="session")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the example plugins are installed, entry points and all."""
    folder = tmp_path_factory.mktemp("acme")
    projects = [ROOT / "examples" / name for name in ("acme-backend", "acme-objects")]
    pip = (sys.executable, "-P", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", folder, *projects], check=True, cwd=folder
    )
    return folder


@pytest.fixture
def account() -> Iterator[str]:
    """Connection string of a new Azure account with a container named reports."""
    with HnsEmulator() as emulator:
        where = emulator.path_style_connection_string
        with FileSystemClient.from_connection_string(where, "reports") as container:
            container.create_file_system()
        yield where


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def buckets() -> Iterator[dict[str, str]]:
    """What makes ``s3://my-bucket`` an empty one of a server on loopback."""
    with moto.running() as server:
        server.make_bucket("my-bucket")
        yield {
            "AWS_ENDPOINT_URL_S3": server.url,
            "AWS_ACCESS_KEY_ID": moto.KEY,
            "AWS_SECRET_ACCESS_KEY": moto.SECRET,
        }


@pytest.fixture
def session(
    tmp_path: Path,
    acme: Path,
    account: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Session]:
    """A session in an empty folder, in which its titled blocks can be imported."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", account)
    page = request.getfixturevalue("page") if "page" in request.fixturenames else None
    if page is not None and "s3://my-bucket" in page.read_text():
        for name, value in request.getfixturevalue("buckets").items():
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(acme)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("remote_store._plugins.loading._registered", {})
    session = Session()
    # Classes that a page defines look their module up, attrs' for instance.
    monkeypatch.setitem(sys.modules, "page", session._module)
    logger = logging.getLogger("remote_store")
    level = logger.level
    yield session
    # A page may show how records are asked for; stores of later tests are not watched.
    logger.setLevel(level)


@pytest.fixture(params=PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def page(request: pytest.FixtureRequest) -> Path:
    """Each page in turn."""
    page: Path = request.param
    return page
