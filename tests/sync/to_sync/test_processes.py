"""AsyncBackendSyncAdapter: interrupts, forks and the interpreter's exit."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sync.to_sync.scripted import opened

from remote_store import AsyncBackendSyncAdapter
from remote_store_memory import AsyncMemoryBackend

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("heed_interrupts")]


@pytest.mark.parametrize("call", ["exists", "read"])
def test_keyboard_interrupt_cancels_the_call(call: str) -> None:
    """Ctrl-C in the waiting thread cancels the coroutine, waits for its end, and is raised."""
    events: list[str] = []

    async def slow(*args: Any) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            events.append("cancelled")
            await asyncio.sleep(0.1)
            events.append("cleaned up")
            raise
        return True

    async def chunks(path: str) -> AsyncIterator[bytes]:
        await slow()
        yield b""

    with opened(exists=slow, read=chunks) as adapter:
        with pytest.raises(KeyboardInterrupt):
            _ = adapter.exists("x") if call == "exists" else adapter.read("x").read()
        assert events == ["cancelled", "cleaned up"]
        assert adapter.is_folder("")


def test_second_interrupt_stops_waiting() -> None:
    """A coroutine that does not end keeps nobody who interrupts twice."""
    release = threading.Event()

    async def stubborn(path: str) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        while not release.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                os.kill(os.getpid(), signal.SIGINT)
        return True

    with opened(exists=stubborn) as adapter:
        try:
            with pytest.raises(KeyboardInterrupt):
                adapter.exists("x")
        finally:
            release.set()


def test_interrupt_before_the_loop_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose caller was interrupted before it reached the loop is never made."""
    made: list[str] = []

    async def exists(path: str) -> bool:
        made.append(path)
        return True

    with opened(exists=exists) as adapter:
        inbox = adapter._runner._inbox

        def put(call: Any) -> None:
            inbox._waiting.append(call)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(inbox, "put", put)
            with pytest.raises(KeyboardInterrupt):
                adapter.exists("interrupted")
        assert adapter.exists("next")
    assert made == ["next"]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_child_is_told() -> None:
    """In a forked child calls say so, close returns, a new adapter works; the parent's lives."""
    with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as adapter:
        adapter.write("x", b"1")
        stream = adapter.read("x")
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            # A call that hangs ends by this, and is heard as nothing.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            told = b"nothing"
            try:
                try:
                    adapter.exists("x")
                except RuntimeError as error:
                    told = str(error).encode()
                stream.close()
                if adapter._runner._inbox._waiting:
                    told += b" and left a call to nobody"
                adapter.close()
                with AsyncBackendSyncAdapter(AsyncMemoryBackend()) as fresh:
                    told += b" | " + str(fresh.exists("")).encode()
            except BaseException as error:
                told = repr(error).encode()
            finally:
                os.write(write, told)
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            heard = pipe.read().decode()
        os.waitpid(pid, 0)
        assert re.fullmatch(r".* made before a fork: .* in the child \| True", heard)
        assert adapter.read_bytes("x") == b"1"
        stream.close()


EXIT = """
import asyncio, sys, threading
from remote_store import AsyncBackendSyncAdapter, Store
from remote_store_memory import AsyncMemoryBackend
store = Store(AsyncBackendSyncAdapter(AsyncMemoryBackend()))
store.write("x", b"123")
stream = store.read("x")
stream.read(1)
files = store.list_files("")
next(files)
{more}
print("end")
"""


HANGING = """
class Hanging(AsyncMemoryBackend):
    async def exists(self, path):
        await asyncio.sleep(3600)
hanging = AsyncBackendSyncAdapter(Hanging())
threading.Thread(target=lambda: hanging.exists("x"), daemon=True).start()
import time; time.sleep(0.2)
"""


@pytest.mark.parametrize("more", ["", HANGING, "sys.exit(0)", "1 // 0"])
def test_interpreter_exit(more: str) -> None:
    """Nothing closed, streams open, a call in flight: the process ends soon and says nothing."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", EXIT.format(more=more)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    # The loop's development mode reports a step that a busy machine made slow.
    slow = re.compile(r"Executing <.* took [0-9.]+ seconds")
    noise = [line for line in done.stderr.splitlines() if line and not slow.match(line)]
    if more == "1 // 0":
        assert done.returncode == 1
        assert noise[-1].startswith("ZeroDivisionError")
        assert len(noise) <= 5  # later Pythons underline what failed
    else:
        assert (done.returncode, noise) == (0, [])
    assert time.perf_counter() - start < 20


PIPE = """
import os
from remote_store import AsyncBackendSyncAdapter, Store
from remote_store_memory import AsyncMemoryBackend
store = Store(AsyncBackendSyncAdapter(AsyncMemoryBackend()))
read, write = os.pipe()

class Silent:
    def read(self, size):
        print("reading", flush=True)
        return os.read(read, size)

try:
    store.write("x", Silent())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.long
def test_second_interrupt_ends_the_process() -> None:
    """A source that gives nothing keeps neither the call nor the exit after a second Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-c", PIPE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
            for _ in range(2):
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            process.wait(20)
        finally:
            process.kill()
