"""Ctrl-C, and forks, at every moment of a write."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.local.conftest import litter

from remote_store import PermissionDenied
from remote_store_local import LocalBackend
from remote_store_local._fs import sweep
from remote_store_local._fs.folder import OpenFolder

pytestmark = pytest.mark.slow

#: Raises a KeyboardInterrupt at each moment at which Python looks for signals.
SCRIPT = """
    import dis, gc, io, json, os, sys
    import remote_store_local
    from remote_store_local import LocalBackend

    HERE = os.path.dirname(remote_store_local.__file__)
    AFTER = ("CALL", "CALL_FUNCTION_EX", "CALL_KW")
    CALLS = {dis.opmap[name] for name in AFTER if name in dis.opmap}
    STARTS = {dis.opmap[name] for name in ("RESUME", "JUMP_BACKWARD") if name in dis.opmap}
    root, name, overwrite = sys.argv[1], sys.argv[2], sys.argv[3] == "True"
    OLD, NEW = b"old", b"new content"

    class Interrupt:
        def __init__(self, moment):
            self.left, self.at, self.before = moment, None, {}

        def trace(self, frame, event, arg):
            if not frame.f_code.co_filename.startswith(HERE):
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                now = frame.f_code.co_code[frame.f_lasti]
                if self.before.get(id(frame)) in CALLS or now in STARTS:
                    self.left -= 1
                    if not self.left:
                        self.at = f"{frame.f_code.co_name}:{frame.f_lineno}"
                        sys.settrace(None)
                        raise KeyboardInterrupt
                self.before[id(frame)] = now
            return self.trace

    def left():
        fds = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        found = [os.readlink(fd) for fd in fds if os.path.islink(fd)]
        found += [name for _, _, names in os.walk(root) for name in names]
        return [name for name in found if ".~tmp." in name]

    def in_block(backend, key):
        with backend.open_atomic(key, overwrite=overwrite) as file:
            file.write(NEW)

    OPERATIONS = {
        "write": lambda b: b.write("f", NEW, overwrite=overwrite),
        "deep": lambda b: b.write("d/e/f", NEW, overwrite=overwrite),
        "write_atomic": lambda b: b.write_atomic("f", NEW, overwrite=overwrite),
        "file": lambda b: b.write("f", io.BytesIO(NEW), overwrite=overwrite),
        "open_atomic": lambda b: in_block(b, "f"),
        "copy": lambda b: b.copy("source", "f", overwrite=overwrite),
        "copy_many": lambda b: b.copy_many_from(b, [("source", "f")]),
    }
    backend = LocalBackend(root)
    moments, wrong = 0, []
    while True:
        for folder, folders, names in os.walk(root, topdown=False):
            for one in names:
                os.unlink(f"{folder}/{one}")
            for one in folders:
                os.rmdir(f"{folder}/{one}")
        with open(f"{root}/source", "wb") as file:
            file.write(NEW)
        if overwrite:
            with open(f"{root}/f", "wb") as file:
                file.write(OLD)
        moments += 1
        interrupt = Interrupt(moments)
        sys.settrace(interrupt.trace)
        try:
            OPERATIONS[name](backend)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        if interrupt.at is None:
            break
        if left():
            gc.collect()  # the trace makes cycles
        try:
            with open(f"{root}/f", "rb") as file:
                content = file.read()
        except FileNotFoundError:
            content = None
        allowed = (OLD, NEW) if overwrite else (None, NEW)
        if left() or content not in allowed:
            wrong.append([interrupt.at, left(), str(content)])
    print(json.dumps([moments, wrong]))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("operation", "overwrite"),
    [
        *itertools.product(
            ("write", "deep", "write_atomic", "file", "open_atomic", "copy"), (False, True)
        ),
        ("copy_many", False),
    ],
)
def test_interrupted_at_every_moment(root: Path, operation: str, overwrite: bool) -> None:
    """An interrupt leaves the old file or the new one, no temporary file and no lock of one."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(SCRIPT), root, operation, str(overwrite)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    moments, wrong = json.loads(done.stdout)
    assert moments > 50
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_removes_nothing(root: Path) -> None:
    """A child that ends while its parent writes leaves the parent's temporary file alone."""
    script = """
        import os, sys
        from remote_store_local import LocalBackend

        class Source:
            def __init__(self):
                self.parts = [b"1", b"2", b""]
            def read(self, size):
                part = self.parts.pop(0)
                if part == b"2":
                    child = os.fork()
                    if not child:
                        raise SystemExit(0)  # unwinds the child through the write
                    assert os.waitpid(child, 0)[1] == 0
                return part

        LocalBackend(sys.argv[1]).write("f", Source())
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), root], check=True)
    assert (root / "f").read_bytes() == b"12"
    assert litter(root) == []


def test_a_temporary_file_that_is_forgotten(local: LocalBackend, root: Path) -> None:
    """A block that is never ended leaves nothing once nobody can end it."""
    block = local.open_atomic("f")
    block.__enter__()
    assert len(litter(root)) == 1
    del block
    assert litter(root) == []


TERMINATED = """
    import asyncio, os, signal, sys
    from remote_store_local import AsyncLocalBackend, LocalBackend

    root, way, handled = sys.argv[1], sys.argv[2], sys.argv[3] == "True"

    class Source:
        reads = 0
        def read(self, size):
            self.reads += 1
            if self.reads == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return b"x" * 1000

    async def stream():
        source = Source()
        while True:
            yield source.read(1000)
            await asyncio.sleep(0)

    async def main():
        if handled:
            task = asyncio.current_task()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            await AsyncLocalBackend(root).write("f", stream())
        except asyncio.CancelledError:
            sys.exit(143)

    if way == "async":
        asyncio.run(main())
    else:
        if handled:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        LocalBackend(root).write("f", Source())
"""


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("handled", [False, True])
def test_terminated(root: Path, monkeypatch: pytest.MonkeyPatch, way: str, handled: bool) -> None:
    """SIGTERM leaves nothing where the program handles it; else a file that only a sweep sees."""
    command = [sys.executable, "-c", textwrap.dedent(TERMINATED), str(root), way, str(handled)]
    code = subprocess.run(command, check=False).returncode
    assert code == (143 if handled else -signal.SIGTERM)
    assert len(litter(root)) == (0 if handled else 1)
    backend = LocalBackend(root)
    assert list(backend.iter_children("")) == []
    later = sweep.now() + 25 * 3600
    monkeypatch.setattr(sweep, "now", lambda: later)
    assert backend.sweep() == (0 if handled else 1)
    assert os.listdir(root) == []


def test_a_refused_creation(
    local: LocalBackend, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What refuses the temporary file is told, not that there is none to remove."""
    native = PermissionError(errno.EACCES, "may not create")

    def refuse(self: OpenFolder, *_: object) -> None:
        raise native

    def unlink(self: OpenFolder, name: str) -> None:
        raise OSError(errno.EIO, "may not remove")

    monkeypatch.setattr(OpenFolder, "open_into", refuse)
    monkeypatch.setattr(OpenFolder, "unlink", unlink)
    with pytest.raises(PermissionDenied) as caught:
        local.write("d/f", b"1", overwrite=True)
    assert caught.value.__cause__ is native
    assert os.listdir(root) == []
