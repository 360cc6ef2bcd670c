"""Of any number of concurrent creators of one key exactly one succeeds (WRITE-004)."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.local.conftest import litter

from remote_store import AlreadyExists, RemoteStoreError
from remote_store_local import AsyncLocalBackend, _transfer
from remote_store_local._fs import temp_file
from remote_store_local._fs.folder import OpenFolder

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.no_cover]

KINDS = ["bytes", "stream", "atomic", "move", "copy"]
WRITERS = 16
Attempt = Callable[[str, int], Coroutine[Any, Any, object]]


async def stream(data: bytes) -> AsyncIterator[bytes]:
    yield data


def attempts(backend: AsyncLocalBackend, kind: str) -> Attempt:
    """Return what writer *n* does to create a key with its own content."""

    async def attempt(key: str, n: int) -> object:
        data = b"%d" % n
        if kind == "bytes":
            return await backend.write(key, data)
        if kind == "stream":
            return await backend.write(key, stream(data))
        if kind == "atomic":
            return await backend.write_atomic(key, data)
        transfer = backend.move if kind == "move" else backend.copy
        await transfer(f"source{n}", key)
        return None

    return attempt


def prepare(root: Path) -> None:
    for n in range(WRITERS):
        (root / f"source{n}").write_bytes(b"%d" % n)


def judge(root: Path, key: str, answers: list[object]) -> None:
    """Require one winner, whose content is there, and the right error for the others."""
    winners = [n for n, a in enumerate(answers) if not isinstance(a, BaseException)]
    losers = [a for a in answers if isinstance(a, BaseException)]
    assert len(winners) == 1, f"{len(winners)} of {len(answers)} succeeded"
    assert {type(a) for a in losers} <= {AlreadyExists}, losers
    assert (root / key).read_bytes() == b"%d" % winners[0]


async def rounds(root: Path, backend: AsyncLocalBackend, kind: str, count: int) -> None:
    attempt = attempts(backend, kind)
    for number in range(count):
        prepare(root)
        key = f"d{number}/f" if number % 2 else f"f{number}"
        calls = [attempt(key, n) for n in range(WRITERS)]
        judge(root, key, await asyncio.gather(*calls, return_exceptions=True))
    assert litter(root) == []


@pytest.fixture(params=["rename", "link"])
def way(request: pytest.FixtureRequest) -> str:
    """Rename without replacing, and its fallback."""
    if request.param == "link":
        request.getfixturevalue("link_fallback")
    return str(request.param)


@pytest.mark.parametrize("count", [5, pytest.param(40, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
async def test_tasks(root: Path, way: str, kind: str, count: int) -> None:
    """16 tasks on one loop."""
    await rounds(root, AsyncLocalBackend(root), kind, count)


def in_threads(root: Path, attempt: Attempt, kind: str, count: int) -> None:
    """Let 16 threads, each with a loop of its own, create the same keys at the same moments."""
    start, done = threading.Barrier(WRITERS + 1), threading.Barrier(WRITERS + 1)
    answers: list[object] = [None] * WRITERS

    def work(n: int) -> None:
        with asyncio.Runner() as runner:
            for number in range(count):
                start.wait(30)
                try:
                    answers[n] = runner.run(attempt(f"{kind}{number}", n))
                except Exception as error:
                    answers[n] = error
                done.wait(30)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(WRITERS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for number in range(count):
            prepare(root)
            start.wait(30)
            done.wait(30)
            judge(root, f"{kind}{number}", list(answers))
    finally:
        start.abort()
        done.abort()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("count", [5, pytest.param(30, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
async def test_threads(root: Path, way: str, kind: str, count: int) -> None:
    """16 threads with a loop each."""
    backend = AsyncLocalBackend(root)
    await asyncio.to_thread(in_threads, root, attempts(backend, kind), kind, count)
    assert litter(root) == []


WORKER = """
    import asyncio, sys
    from remote_store import AlreadyExists
    from remote_store_local import AsyncLocalBackend, _transfer
    from remote_store_local._fs import renameat2, temp_file

    root, number, count, way = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    if way == "link":
        def refuse(*_):
            raise OSError(38, "")
        renameat2.renameat2 = refuse
    backend = AsyncLocalBackend(root)

    async def stream(data):
        yield data

    async def attempt(kind, key):
        data = b"%d" % number
        if kind == "bytes":
            await backend.write(key, data)
        elif kind == "stream":
            await backend.write(key, stream(data))
        elif kind == "atomic":
            await backend.write_atomic(key, data)
        elif kind == "move":
            await backend.write(f"source{number}", data, overwrite=True)
            await backend.move(f"source{number}", key)
        else:
            await backend.write(f"source{number}", data, overwrite=True)
            await backend.copy(f"source{number}", key)

    async def main():
        for line in sys.stdin:
            kind = line.strip()
            won = ""
            for n in range(count):
                try:
                    await attempt(kind, f"{kind}{n}")
                    won += f"{n} "
                except AlreadyExists:
                    pass
            print(won, flush=True)

    asyncio.run(main())
"""


@pytest.mark.parametrize("way_", ["rename", pytest.param("link", marks=pytest.mark.long)])
async def test_processes(root: Path, way_: str) -> None:
    """4 processes that race through the same 130 keys of each kind."""
    count = 130
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), root, str(n), str(count), way_],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    spread = set()
    try:
        for kind in KINDS:
            for worker in workers:
                assert worker.stdin
                worker.stdin.write(kind + "\n")
                worker.stdin.flush()
            winner: dict[int, list[int]] = {n: [] for n in range(count)}
            for number, worker in enumerate(workers):
                assert worker.stdout
                for word in worker.stdout.readline().split():
                    winner[int(word)].append(number)
            assert [n for n, who in winner.items() if len(who) != 1] == []
            for n, who in winner.items():
                assert (root / f"{kind}{n}").read_bytes() == b"%d" % who[0]
            spread |= {who[0] for who in winner.values()}
    finally:
        for worker in workers:
            assert worker.stdin
            assert worker.stdout
            worker.stdin.close()
            worker.wait(30)
            worker.stdout.close()
    assert len(spread) > 1  # they did run at the same time
    assert litter(root) == []


def check_then_act(source: Any, src: str, target: Any, dst: str, *, atomic: bool) -> None:
    """Create the way that is not exclusive: look first, replace afterwards."""
    try:
        target.stat(dst)
    except FileNotFoundError:
        pass
    else:
        raise FileExistsError(errno.EEXIST, "exists")
    time.sleep(0)  # other threads get their turn, as they do on a busy machine
    os.replace(source.at(src), target.at(dst), src_dir_fd=source.fd, dst_dir_fd=target.fd)


@pytest.mark.parametrize("kind", KINDS)
async def test_check_then_act_fails(root: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The same test catches a backend that looks first and acts afterwards."""
    monkeypatch.setattr(temp_file, "rename_exclusive", check_then_act)
    monkeypatch.setattr(_transfer, "rename_exclusive", check_then_act)
    backend = AsyncLocalBackend(root)
    with pytest.raises(AssertionError, match=r"(?:[2-9]|1\d) of \d+ succeeded"):
        await rounds(root, backend, kind, 200)


async def test_failure_after_publishing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails once the file is there is told as it is, not as somebody else's file."""

    def fail(_: OpenFolder) -> None:
        raise OSError(errno.EIO, "Input/output error")

    backend = AsyncLocalBackend(root, fsync="always")
    (root / "source").write_bytes(b"2")
    monkeypatch.setattr(OpenFolder, "sync", fail)
    for key, content, call in (
        ("f", b"1", lambda: backend.write("f", b"1")),
        ("g", b"2", lambda: backend.copy("source", "g")),
    ):
        with pytest.raises(RemoteStoreError) as caught:
            await call()
        assert not isinstance(caught.value, AlreadyExists)
        assert isinstance(caught.value.__cause__, OSError)
        assert (root / key).read_bytes() == content
    assert litter(root) == []


async def test_nothing_large_is_written_in_vain(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content of some size is not written before somebody looks whether it may be."""
    backend = AsyncLocalBackend(root)
    (root / "f").write_bytes(b"old")
    (root / "large").write_bytes(bytes(100_000))
    written: list[int] = []
    original = temp_file.TempFile.write

    def write(temporary: temp_file.TempFile, data: bytes, *args: Any) -> None:
        written.append(len(data))
        original(temporary, data, *args)

    monkeypatch.setattr(temp_file.TempFile, "write", write)
    with pytest.raises(AlreadyExists):
        await backend.write("f", bytes(100_000))
    with pytest.raises(AlreadyExists):
        await backend.copy("large", "f")
    assert written == []
    await backend.copy("large", "g")
    assert written == [100_000]
