"""Whoever comes between: signal handlers, finalisers and forks anywhere in a change."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from remote_store import AlreadyExists, RemoteStoreError
from remote_store_memory import MemoryBackend

pytestmark = pytest.mark.slow

Change = Callable[[MemoryBackend], object]
State = tuple[dict[str, bytes], frozenset[str]]

#: What is there before each change.
FILES = ("f", "d/g", "d/h", "d/e/i", "other/j")
CHANGES: dict[str, Change] = {
    "create": lambda m: m.write("d/new", b"1"),
    "create with folders": lambda m: m.write("d/x/y/new", b"2"),
    "create below e": lambda m: m.write("d/e/z/new", b"3"),
    "overwrite": lambda m: m.write("d/g", b"4", overwrite=True),
    "copy": lambda m: m.copy("d/g", "d/new"),
    "copy far": lambda m: m.copy("d/g", "d/x/new"),
    "move": lambda m: m.move("d/g", "d/new"),
    "move onto": lambda m: m.move("d/g", "other/j", overwrite=True),
    "move far": lambda m: m.move("d/e/i", "d/x/new"),
    "delete": lambda m: m.delete("d/g"),
    "delete if there": lambda m: m.delete("d/e/i", missing_ok=True),
    "delete folder": lambda m: m.delete_folder("d", recursive=True),
    "delete empty folder": lambda m: m.delete_folder("empty"),
    "fill empty folder": lambda m: m.write("empty/new", b"5"),
    "file for a folder": lambda m: m.write("x", b"6"),
    "folder for a file": lambda m: m.write("x/y", b"7"),
}
ORDER = {name: place for place, name in enumerate(CHANGES)}
STEP = 13


def full() -> MemoryBackend:
    """Return a backend with `FILES` and an empty folder."""
    memory = MemoryBackend()
    for key in (*FILES, "empty/gone"):
        memory.write(key, key.encode())
    memory.delete("empty/gone")
    return memory


def state(memory: MemoryBackend) -> State:
    """Return all files and folders; fail where two ways to look do not agree."""
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    pending = [""]
    while pending:
        folder = pending.pop()
        below = [str(entry.path) for entry in memory.list_folders(folder)]
        found = [str(info.path) for info in memory.list_files(folder)]
        names = [str(entry.path) for entry in memory.iter_children(folder)]
        assert sorted(found + below) == sorted(names)
        assert len(set(names)) == len(names)
        assert all(memory.is_folder(key) and not memory.is_file(key) for key in below)
        folders.update(below)
        pending += below
        for key in found:
            assert memory.is_file(key)
            assert not memory.is_folder(key)
            files[key] = memory.read_bytes(key)
    assert {str(info.path) for info in memory.list_files("", recursive=True)} == set(files)
    # None takes the room for a folder that did not come to be.
    homes = {key for key, folder in memory._tree._by_key.items() if folder}
    assert homes == folders | {""}
    return files, frozenset(folders)


def outcome(change: Change, memory: MemoryBackend) -> str:
    try:
        change(memory)
    except RemoteStoreError as error:
        return type(error).__name__
    return "done"


def between(moment: int, act: Callable[[], object], change: Callable[[], object]) -> bool:
    """Call *act* before instruction *moment* of *change* in the plugin; tell whether it has one."""
    left = moment

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_globals["__name__"].startswith("remote_store_memory."):
            return None
        frame.f_trace_opcodes = True
        if event in ("line", "opcode"):  # Python 3.12 tells of lines alone
            left -= 1
            if left == -1:
                sys.settrace(None)
                act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        change()
    finally:
        sys.settrace(before)
    return left < 0


def moments(attempt: Callable[[int], bool], first: int = 0, step: int = 1) -> int:
    """Make an attempt for each instruction of a change, or each of some; return how many."""
    moment = first
    while attempt(moment):
        moment += step
    return moment


def in_a_row(*changes: str) -> tuple[list[str], State]:
    memory = full()
    outcomes = [outcome(CHANGES[name], memory) for name in changes]
    return outcomes, state(memory)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("other", CHANGES)
def test_two_changes_are_one_after_the_other(name: str, other: str) -> None:
    """A change within another, at any instruction, ends as if one had come first (CONC-001)."""
    first, second = in_a_row(name, other), in_a_row(other, name)
    possible = [(first[0], first[1]), (second[0][::-1], second[1])]

    def attempt(moment: int) -> bool:
        memory, inner = full(), ["never"]

        def intrude() -> None:
            inner[0] = outcome(CHANGES[other], memory)

        outer: list[str] = []
        reached = between(moment, intrude, lambda: outer.append(outcome(CHANGES[name], memory)))
        if reached:
            assert ([*outer, *inner], state(memory)) in possible
        return reached

    # All pairs together stop at each instruction.
    assert moments(attempt, (ORDER[name] + ORDER[other]) % STEP, STEP) > 10


@pytest.mark.long
@pytest.mark.parametrize("name", CHANGES)
def test_no_half_of_a_change_shows(name: str) -> None:
    """At every instruction of a change the tree is as before it, or as after it."""
    before = state(full())
    after = in_a_row(name)[1]
    seen: list[State] = []

    def attempt(moment: int) -> bool:
        memory = full()
        return between(
            moment, lambda: seen.append(state(memory)), lambda: outcome(CHANGES[name], memory)
        )

    moments(attempt)
    assert all(found in (before, after) for found in seen)
    assert before in seen
    assert seen.index(before) == 0


@pytest.mark.parametrize("name", CHANGES)
def test_an_exception_anywhere(name: str) -> None:
    """Ctrl-C at any instruction of a change leaves it undone or done, and the tree usable."""
    before = state(full())
    after = in_a_row(name)[1]

    def stop() -> None:
        raise KeyboardInterrupt

    def attempt(moment: int) -> bool:
        memory = full()
        try:
            between(moment, stop, lambda: CHANGES[name](memory))
        except KeyboardInterrupt:
            assert state(memory) in (before, after)
            memory.write("late/r", b"")
            return True
        return False

    assert moments(attempt) > 10


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_no_memory_left(name: str, listed: bool) -> None:
    """A change that runs out of memory anywhere is undone or done, and the tree usable."""
    faults = pytest.importorskip("_testcapi", reason="only CPython's own tests can end memory")
    before = state(full())
    after = in_a_row(name)[1]

    def attempt(moment: int) -> bool:
        memory = full()
        listings = [memory.iter_children(key) for key in ("", "d", "other") if listed]
        for listing in listings:
            next(listing)
        faults.set_nomemory(moment, moment + 1)
        try:
            CHANGES[name](memory)
        except MemoryError:
            faults.remove_mem_hooks()
            assert state(memory) in (before, after)
            assert outcome(CHANGES[name], memory) != "done" or state(memory) == after
            return True
        finally:
            faults.remove_mem_hooks()
        return moment < 80  # what ran out may have been a cache of Python's own

    assert moments(attempt) >= 80


@pytest.mark.parametrize("name", ["move", "copy", "delete", "create", "create with folders"])
def test_a_listing_begun_within_a_change(name: str) -> None:
    """A listing that begins at any instruction of a change stays one of that moment."""
    before, after = full(), full()
    CHANGES[name](after)
    possible = [sorted(e.name for e in memory.iter_children("d")) for memory in (before, after)]

    def attempt(moment: int) -> bool:
        memory = full()
        begun: list[Iterator[Any]] = []
        names: list[str] = []

        def begin() -> None:
            begun.append(memory.iter_children("d"))
            names.append(next(begun[0]).name)

        reached = between(moment, begin, lambda: CHANGES[name](memory))
        memory.write("d/later", b"")
        memory.delete("d/h")
        if reached:
            names.extend(entry.name for entry in begun[0])
            assert sorted(names) in possible
        return reached

    assert moments(attempt) > 10


def run(program: str) -> str:
    """Run a program in a process of its own, which is ended where it hangs."""
    result = subprocess.run(
        # Newer Pythons warn of a fork beside a thread, which is what is tested.
        [sys.executable, "-P", "-W", "ignore:This process", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signal handlers of this kind need POSIX")
def test_signal_handlers_write() -> None:
    """A signal handler may change the backend that its thread is changing."""
    out = run(
        """
        import signal, time
        from remote_store_memory import MemoryBackend

        memory, calls = MemoryBackend(), 0
        memory.write("main/0", b"")

        def handle(*_):
            global calls
            calls += 1
            memory.write(f"handler/{calls}", b"x")
            memory.write("main/0", b"handler", overwrite=True)

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        done = 0
        while calls < 300:
            done += 1
            memory.write(f"main/{done}", b"1")
            memory.copy(f"main/{done}", f"copied/{done}")
            memory.move(f"copied/{done}", f"moved/{done}/f")
            memory.delete_folder(f"moved/{done}", recursive=True)
        signal.setitimer(signal.ITIMER_REAL, 0)
        counts = [memory.get_folder_info(f).file_count for f in ("main", "copied", "handler")]
        print(counts == [done + 1, 0, calls])
        """
    )
    assert out == "True"


def test_finalisers_write() -> None:
    """An object that the garbage collector finds within a change may write to the backend."""
    out = run(
        """
        import gc
        from remote_store_memory import MemoryBackend

        memory, freed = MemoryBackend(), 0

        class Buffered:
            def __init__(self):
                self.itself = self

            def __del__(self):
                global freed
                freed += 1
                memory.write(f"freed/{freed}", b"x")

        for i in range(2000):
            Buffered()
            gc.set_threshold(1 + i % 40)
            memory.write(f"d/{i}/f", b"1")
            memory.move(f"d/{i}/f", f"d/{i}/g")
            gc.set_threshold(1000)
        gc.collect()
        counts = [memory.get_folder_info(f).file_count for f in ("d", "freed")]
        print(counts == [2000, freed], freed)
        """
    )
    assert out == "True 2000"


def test_metadata_with_a_finaliser() -> None:
    """What a replaced version held is let go of without the lock."""
    memory = MemoryBackend()
    freed = []

    class Text(str):
        __slots__ = ()

        def __del__(self) -> None:
            freed.append(memory.exists("f"))
            memory.write(f"freed/{len(freed)}", b"")

    for i in range(3):
        memory.write("f", b"", overwrite=True, metadata={"k": Text(f"v{i}")})
    memory.copy("f", "g")
    memory.move("f", "g", overwrite=True)
    memory.delete("g")
    assert freed == [True, True, False]
    memory.write("d/f", b"", metadata={"k": Text("v")})
    memory.delete_folder("d", recursive=True)
    assert memory.get_folder_info("freed").file_count == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_write() -> None:
    """A child forked while another thread changes the backend can use it."""
    out = run(
        """
        import os, signal, threading
        from remote_store_memory import MemoryBackend

        memory, stop = MemoryBackend(), threading.Event()

        def busy():
            i = 0
            while not stop.is_set():
                i += 1
                memory.write("d/f", bytes(100), overwrite=True)
                memory.move("d/f", f"d/{i % 10}/f", overwrite=True)

        thread = threading.Thread(target=busy)
        thread.start()
        good = 0
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(5)
                memory.write("child/f", b"1")
                memory.delete_folder("child", recursive=True)
                total = memory.get_folder_info("d").file_count
                os._exit(0 if total == len(list(memory.list_files("d", recursive=True))) else 1)
            good += os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
        print(good)
        """
    )
    assert out == "20"


def test_odd_keys_run_no_code_of_the_caller() -> None:
    """A key of a str subclass is taken by its text, and its own equality is never asked."""
    memory = MemoryBackend()

    class Key(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            pytest.fail("asked")

        def __hash__(self) -> int:
            pytest.fail("asked")

    memory.write(Key("d/f"), b"1")
    with pytest.raises(AlreadyExists):
        memory.write(Key("d/f"), b"1")
    memory.copy(Key("d/f"), Key("d/g"))
    memory.move(Key("d/g"), Key("d/h"))
    assert memory.read_bytes(Key("d/h")) == b"1"
    assert type(memory.get_file_info(Key("d/h")).name) is str
    memory.delete(Key("d/h"))
    assert [info.name for info in memory.list_files(Key("d"))] == ["f"]
    memory.delete_folder(Key("d"), recursive=True)
    assert not memory.exists(Key("d"))
