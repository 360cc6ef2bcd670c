"""
What a file system says late, or says wrongly, as network file systems do.

A library that is preloaded into a process of its own plays that file system: see late.c.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Late = Callable[..., Any]

#: Runs operations one after the other, and says what each of them raised and left.
SCRIPT = """
    import asyncio, io, json, os, sys
    from remote_store import RemoteStoreError
    from remote_store_local import AsyncLocalBackend, LocalBackend

    root, kinds, fsync = sys.argv[1:4]
    OLD, NEW = b"old!", b"new content"

    async def stream():
        yield NEW

    def in_block(backend, key, overwrite):
        with backend.open_atomic(key, overwrite=overwrite) as file:
            file.write(NEW)

    def run(coroutine):
        return asyncio.run(coroutine)

    OPERATIONS = {
        "write": lambda s, a, k, o: s.write(k, NEW, overwrite=o),
        "write_atomic": lambda s, a, k, o: s.write_atomic(k, NEW, overwrite=o),
        "file": lambda s, a, k, o: s.write(k, io.BytesIO(NEW), overwrite=o),
        "open_atomic": lambda s, a, k, o: in_block(s, k, o),
        "async write": lambda s, a, k, o: run(a.write(k, NEW, overwrite=o)),
        "stream": lambda s, a, k, o: run(a.write(k, stream(), overwrite=o)),
        "atomic stream": lambda s, a, k, o: run(a.write_atomic(k, stream(), overwrite=o)),
        "copy": lambda s, a, k, o: s.copy("source", k, overwrite=o),
        "move": lambda s, a, k, o: s.move("moved", k, overwrite=o),
    }

    def content(name):
        try:
            with open(f"{root}/{name}", "rb") as file:
                return file.read().decode()
        except FileNotFoundError:
            return None

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    def fill(name, data):
        with open(f"{root}/{name}", "wb") as file:
            file.write(data)

    sync, aio = LocalBackend(root, fsync=fsync), AsyncLocalBackend(root, fsync=fsync)
    run(aio.exists("f"))
    told = {}
    for name, operation in OPERATIONS.items():
        for overwrite in (False, True):
            fill("source", NEW)
            fill("moved", NEW)
            for key in ("f", "d/new"):
                if key == "f":
                    fill("f", OLD)
                    if not overwrite:
                        os.unlink(f"{root}/f")
                before = descriptors()
                os.environ["LATE"] = kinds
                said = unknown = None
                try:
                    operation(sync, aio, key, overwrite)
                except RemoteStoreError as error:
                    said, unknown = type(error).__name__ + ": " + str(error), error.outcome_unknown
                except OSError as error:
                    said = "raw " + repr(error)
                del os.environ["LATE"]
                leaked = descriptors() - before
                left = sorted(n for _, d, names in os.walk(root) for n in [*d, *names])
                told[f"{name}, {overwrite}, {key}"] = {
                    "said": said, "unknown": unknown, "content": content(key), "leaked": leaked,
                    "left": [n for n in left if n not in ("f", "source", "moved")],
                    "moved": content("moved"),
                }
                if key == "d/new" and content(key) is not None:
                    os.unlink(f"{root}/{key}")
                    os.rmdir(f"{root}/d")
                fill("moved", NEW)
    print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled library, or a skip where it cannot be had."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("a C compiler on Linux is needed to play a file system that answers late")
    path = tmp_path_factory.mktemp("late") / "late.so"
    source = Path(__file__).with_name("late.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, source, "-ldl"], check=True)
    return path


@pytest.fixture
def late(library: Path, root: Path) -> Late:
    """Run a script against the root, with what is wrong about its file system."""

    def run(script: str, *args: str, **environment: str) -> Any:
        variables = {**os.environ, "LD_PRELOAD": str(library), "LATE_ROOT": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(root), *args],
            env={**variables, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.long
@pytest.mark.parametrize("fsync", ["never", "atomic", "always"])
@pytest.mark.parametrize("kinds", ["full", "full nosync"])
def test_a_disk_that_is_full_at_the_close(late: Late, kinds: str, fsync: str) -> None:
    """What is refused at a close is refused before the file gets its name: the old one stays."""
    for what, told in late(SCRIPT, kinds, fsync).items():
        new = what.startswith("move")
        assert (told["said"] is None) == new, (what, told)
        if not new:
            assert told["said"].startswith("RemoteStoreError: No space left"), (what, told)
            assert told["unknown"] is False
            assert told["content"] == ("old!" if what.endswith("True, f") else None), (what, told)
            assert told["left"] == [], (what, told)
        assert told["leaked"] == 0, (what, told)


def test_closes_that_fail(late: Late) -> None:
    """Where every close fails nothing is written, no name and no descriptor is left."""
    for what, told in late(SCRIPT, "close", "atomic").items():
        new = what.startswith("move")
        if not new:
            assert told["said"].startswith("RemoteStoreError: Input/output error"), (what, told)
            assert told["content"] == ("old!" if what.endswith("True, f") else None), (what, told)
            assert told["left"] == [], (what, told)
        assert told["leaked"] == 0, (what, told)


@pytest.mark.parametrize("kinds", ["link", "rename", "eio"])
def test_lost_answers(late: Late, kinds: str) -> None:
    """
    Whoever finds the file that he wrote at the target has put it there, whatever the answer was.

    A moved file may have been moved by somebody else: the error says that this is not known.
    """
    for what, told in late(SCRIPT, kinds, "atomic").items():
        moved = what.startswith("move")
        # The kind of answer that gets lost is one of a link, or of a rename that replaces.
        if moved and ("True" in what) == (kinds == "rename"):
            assert "moved by this call or by another" in told["said"], (what, told)
            assert told["unknown"] is True
        else:
            assert told["said"] is None, (what, told)
        assert told["content"] == "new content", (what, told)
        assert told["left"] == (["d", "new"] if what.endswith("d/new") else []), (what, told)
        assert told["moved"] == (None if moved else "new content"), (what, told)
        assert told["leaked"] == 0, (what, told)


READS = """
    import asyncio, json, os, sys
    from remote_store import RemoteStoreError
    from remote_store_local import AsyncLocalBackend, LocalBackend

    root = sys.argv[1]
    with open(f"{root}/f", "wb") as file:
        file.write(bytes(5 << 20))
    sync, aio = LocalBackend(root), AsyncLocalBackend(root)

    async def whole(pulls):
        items = aio.read("f")
        got = 0
        try:
            async for part in items:
                got += len(part)
                pulls -= 1
                if not pulls:
                    break
            return got
        finally:
            await items.aclose()

    def closed():
        stream = sync.read("f")
        stream.read(1)
        try:
            stream.close()
        finally:
            assert stream.closed and stream.raw.closed
            stream.close()

    WAYS = {
        "read": lambda: asyncio.run(whole(-1)),
        "left": lambda: asyncio.run(whole(1)),
        "read_bytes": lambda: sync.read_bytes("f"),
        "stream": closed,
        "info": lambda: sync.get_file_info("f").size,
        "list": lambda: len(list(sync.list_files("", recursive=True))),
    }
    asyncio.run(aio.exists("f"))
    told = {}
    for name, way in WAYS.items():
        before = len(os.listdir("/proc/self/fd"))
        os.environ["LATE"] = "close"
        try:
            said = way()
        except RemoteStoreError as error:
            said = str(error)
        except OSError as error:
            said = "raw " + repr(error)
        del os.environ["LATE"]
        told[name] = said, len(os.listdir("/proc/self/fd")) - before
    print(json.dumps(told))
"""


def test_reads_whose_close_fails(late: Late) -> None:
    """A read says so in an error of ours; whoever leaves early or only looks needs none."""
    told = late(READS)
    for name in ("read", "read_bytes", "stream"):
        assert told[name][0].startswith("Input/output error | path='f'"), told
    assert (told["left"], told["info"], told["list"]) == ([1 << 20, 0], [5 << 20, 0], [1, 0])
    assert all(leaked == 0 for _, leaked in told.values()), told


CONSTRUCTOR = """
    import json, os, sys
    from remote_store import RemoteStoreError
    from remote_store_local import AsyncLocalBackend, LocalBackend

    before = len(os.listdir("/proc/self/fd"))
    said = []
    for backend in (LocalBackend, AsyncLocalBackend):
        try:
            backend(sys.argv[1])
            said.append(None)
        except RemoteStoreError as error:
            said.append(str(error))
    del os.environ["LATE"]
    leaked = len(os.listdir("/proc/self/fd")) - before
    print(json.dumps([said, leaked, os.listdir(sys.argv[1])]))
"""


@pytest.mark.parametrize("kinds", ["close", "xattr"])
def test_a_root_that_cannot_be_tried_out(late: Late, kinds: str) -> None:
    """What a root can do is never guessed from a failure, and the trial leaves nothing."""
    said, leaked, left = late(CONSTRUCTOR, LATE=kinds)
    assert all(text and "Input/output error" in text for text in said)
    assert (leaked, left) == (0, [])
