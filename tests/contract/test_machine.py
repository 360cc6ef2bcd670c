"""Random histories of operations against a model of two dicts, through a store with a root."""

from __future__ import annotations

import asyncio
import inspect
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.contract.conftest import open_backend
from tests.contract.probes import CallerError, Source, collect, names
from tests.contract.reference import DictBackend

from remote_store import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
)
from remote_store.aio import AsyncStore

pytestmark = pytest.mark.slow

KEYS = ["a", "a/b", "a/b/c", "ab", "ab/c", "é/f", "a b/c"]
#: What a rule's arguments are chosen from; all others are flags, and the die.
CHOICES: dict[str, list[Any]] = {
    "body": [b"", b"1", b"two", b"x" * 2000],
    "metadata": [None, {"k": "v"}, {"k": "é", "l": ""}],
    "depth": [None, 0, 1, 5],
}
BODIES, METADATA, DEPTHS = map(st.sampled_from, CHOICES.values())
FLAG = st.booleans()
#: Keys are picked by a die, not drawn one by one: Hypothesis likes to repeat a
#: value, and the operations would hardly ever meet two different existing files.
DIE = st.integers(0, 1 << 32)

Outcome = type[BaseException] | None


def parents(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]


class Model:
    """What the store should hold, and what each operation should answer."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, dict[str, str] | None]] = {}
        self.folders: set[str] = set()

    def target(self, key: str, *, overwrite: bool) -> Outcome:
        if key in self.folders or any(p in self.files for p in parents(key)):
            return InvalidPath
        return AlreadyExists if key in self.files and not overwrite else None

    def put(self, key: str, file: tuple[bytes, dict[str, str] | None]) -> None:
        self.files[key] = file
        self.folders.update(parents(key))

    def source(self, key: str) -> Outcome:
        if key in self.folders:
            return InvalidPath
        return None if key in self.files else NotFound

    def pick(self, die: Random) -> str:
        """A key, more often than not that of an existing file or folder."""
        existing = sorted(self.files) * 2 + sorted(self.folders)
        return die.choice(existing if existing and die.random() < 0.7 else KEYS)

    def below(self, key: str) -> set[str]:
        return {k for k in {*self.files, *self.folders} if k.startswith(f"{key}/")}


class Machine(RuleBasedStateMachine):
    """One store, one model, one loop for the whole history."""

    kind: ClassVar[str]
    #: How often each rule ended in each outcome, over all histories.
    outcomes: ClassVar[Counter[tuple[str, str]]]
    open: ClassVar[Callable[[str, Path], Any]] = staticmethod(open_backend)

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.backend = type(self).open(self.kind, Path(self.folder.name) / "root")
        self.store = AsyncStore(self.backend, "some/root")

    def teardown(self) -> None:
        self.runner.run(self.store.aclose())
        self.runner.close()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        for key in ("a/b", "ab", "a b/c"):
            # Each its own, so that a file in the place of another is noticed.
            self.run(self.store.write(key, key.encode()))
            self.model.put(key, (key.encode(), None))

    def run(self, work: Any, expected: Outcome = None) -> Any:
        """Run *work* to the expected outcome, which is one exact class of error or success."""

        async def awaited() -> Any:
            return await work

        name = getattr(work, "__qualname__", "").rpartition(".")[2]
        self.outcomes[name, expected.__name__ if expected else "ok"] += 1
        if expected is None:
            return self.runner.run(awaited())
        with pytest.raises(expected) as caught:
            self.runner.run(awaited())
        assert type(caught.value) is expected
        return caught.value

    # Writing

    @rule(die=DIE, body=BODIES, overwrite=FLAG, atomic=FLAG, stream=FLAG, metadata=METADATA)
    def write(
        self,
        die: int,
        body: bytes,
        overwrite: bool,
        atomic: bool,
        stream: bool,
        metadata: dict[str, str] | None,
    ) -> None:
        key = self.model.pick(Random(die))
        write = self.store.write_atomic if atomic else self.store.write
        content: Any = Source([body[:1], body[1:]]).open() if stream else body
        expected = self.model.target(key, overwrite=overwrite)
        result = self.run(write(key, content, overwrite=overwrite, metadata=metadata), expected)
        if expected is None:
            assert (str(result.path), result.size) == (key, len(body))
            self.model.put(key, (body, metadata))

    @rule(die=DIE, overwrite=FLAG, atomic=FLAG)
    def write_from_failing_source(self, die: int, overwrite: bool, atomic: bool) -> None:
        key = self.model.pick(Random(die))
        write = self.store.write_atomic if atomic else self.store.write
        source = Source([b"part"], error=CallerError())
        expected = self.model.target(key, overwrite=overwrite) or CallerError
        self.run(write(key, source.open(), overwrite=overwrite), expected)

    @rule(die=DIE, overwrite=FLAG, atomic=FLAG)
    def cancelled_write(self, die: int, overwrite: bool, atomic: bool) -> None:
        key = self.model.pick(Random(die))
        expected = self.model.target(key, overwrite=overwrite)

        async def cancelled() -> None:
            write = self.store.write_atomic if atomic else self.store.write
            source = Source([b"part"], stall=True)
            task = asyncio.create_task(write(key, source.open(), overwrite=overwrite))
            if expected is None:
                await source.stalled.wait()
                task.cancel()
            await task

        self.run(cancelled(), expected or asyncio.CancelledError)

    # Deleting

    @rule(die=DIE, missing_ok=FLAG)
    def delete(self, die: int, missing_ok: bool) -> None:
        key = self.model.pick(Random(die))
        expected = self.model.source(key)
        if expected is NotFound and missing_ok:
            expected = None
        self.run(self.store.delete(key, missing_ok=missing_ok), expected)
        if expected is None:
            self.model.files.pop(key, None)

    @rule(die=DIE, recursive=FLAG, missing_ok=FLAG)
    def delete_folder(self, die: int, recursive: bool, missing_ok: bool) -> None:
        key = self.model.pick(Random(die))
        below = self.model.below(key)
        expected: Outcome = None
        if key in self.model.files:
            expected = InvalidPath
        elif key not in self.model.folders:
            expected = None if missing_ok else NotFound
        elif below and not recursive:
            expected = DirectoryNotEmpty
        self.run(
            self.store.delete_folder(key, recursive=recursive, missing_ok=missing_ok), expected
        )
        if expected is None:
            self.model.folders -= below | {key}
            for gone in below & set(self.model.files):
                del self.model.files[gone]

    # Moving and copying

    @rule(die=DIE)
    def move(self, die: int) -> None:
        src, dst, overwrite, expected = self.ends(die)
        self.run(self.store.move(src, dst, overwrite=overwrite), expected)
        if expected is None and src != dst:
            self.model.put(dst, self.model.files.pop(src))

    @rule(die=DIE)
    def copy(self, die: int) -> None:
        src, dst, overwrite, expected = self.ends(die)
        self.run(self.store.copy(src, dst, overwrite=overwrite), expected)
        if expected is None:
            self.model.put(dst, self.model.files[src])

    def ends(self, die: int) -> tuple[str, str, bool, Outcome]:
        """Two keys, and what moving or copying the one to the other should end in."""
        dice = Random(die)
        src, dst, overwrite = self.model.pick(dice), self.model.pick(dice), dice.random() < 0.4
        expected = self.model.source(src)
        if expected is None and src != dst:
            expected = self.model.target(dst, overwrite=overwrite)
        return src, dst, overwrite, expected

    # Asking

    @rule(die=DIE)
    def ask_about(self, die: int) -> None:
        key = self.model.pick(Random(die))
        file, folder = key in self.model.files, key in self.model.folders
        assert self.run(self.store.exists(key)) is (file or folder)
        assert self.run(self.store.is_file(key)) is file
        assert self.run(self.store.is_folder(key)) is folder
        expected = self.model.source(key)
        info = self.run(self.store.get_file_info(key), expected)
        body = self.run(self.store.read_bytes(key), expected)
        streamed = self.run(collect(self.store.read(key)), expected)
        if expected is None:
            content, metadata = self.model.files[key]
            assert body == b"".join(streamed) == content
            assert (str(info.path), info.size, info.metadata) == (key, len(content), metadata)

    @rule(die=DIE, root=FLAG, depth=DEPTHS)
    def list_below(self, die: int, root: bool, depth: int | None) -> None:
        key = "" if root else self.model.pick(Random(die))
        prefix = f"{key}/" if key else ""
        inside = {k for k in self.model.files if k.startswith(prefix)}
        limit = 99 if depth is None else depth
        want = {k for k in inside if k[len(prefix) :].count("/") <= limit}
        listing = self.store.list_files(key, recursive=True, max_depth=depth)
        assert sorted([str(f.path) for f in self.run(collect(listing))]) == sorted(want)
        folders = {k for k in self.model.folders if k.rpartition("/")[0] == key}
        listed = self.run(collect(self.store.list_folders(key)))
        assert sorted([str(f.path) for f in listed]) == sorted(folders)
        children = self.run(collect(self.store.iter_children(key)))
        direct = {k for k in inside if "/" not in k[len(prefix) :]}
        assert sorted([str(c.path) for c in children]) == sorted(folders | direct)

    @rule(die=DIE, depth=DEPTHS)
    def sum_below(self, die: int, depth: int | None) -> None:
        key = self.model.pick(Random(die))
        expected: Outcome = None
        if key in self.model.files:
            expected = InvalidPath
        elif key not in self.model.folders:
            expected = NotFound
        info = self.run(self.store.get_folder_info(key, max_depth=depth), expected)
        if expected is None:
            limit = 99 if depth is None else depth
            inside = [
                body
                for k, (body, _) in self.model.files.items()
                if k.startswith(f"{key}/") and k[len(key) + 1 :].count("/") <= limit
            ]
            assert (info.file_count, info.total_size) == (len(inside), sum(map(len, inside)))

    # Always

    @invariant()
    def the_same_files_and_folders(self) -> None:
        async def look() -> tuple[dict[str, bytes], list[str]]:
            files = {key: await self.store.read_bytes(key) for key in await names(self.store)}
            folders = await collect(self.store.list_folders("", max_depth=9))
            return files, sorted([str(f.path) for f in folders])

        files, folders = self.run(look())
        assert files == {key: body for key, (body, _) in self.model.files.items()}
        assert folders == sorted(self.model.folders)

    @invariant()
    def no_temporary_file(self) -> None:
        assert [p for p in Path(self.folder.name).rglob("*") if p.name.startswith(".~tmp")] == []


BOUNDS = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)


def machine(kind: str, open_it: Callable[[str, Path], Any] = open_backend) -> type[Machine]:
    """The machine over one kind of backend."""
    members = {"kind": kind, "open": staticmethod(open_it), "outcomes": Counter()}
    return type("HistoryMachine", (Machine,), members)


RULES = (
    *("write", "write_from_failing_source", "cancelled_write", "delete", "delete_folder"),
    *("move", "copy", "ask_about", "list_below", "sum_below"),
)


def draw(die: Random, name: str) -> Any:
    """One argument of a rule, by a die alone."""
    if name == "die":
        return die.randrange(1 << 32)
    return die.choice(CHOICES.get(name, [False, True]))


def walk(histories: type[Machine], count: int = 80) -> None:
    """
    Take histories that are the same on every machine and with every Hypothesis.

    What Hypothesis draws depends on its version and on the modules that are
    loaded, so that nothing may hang on what its histories happen to meet.
    """
    die = Random(0)
    for _ in range(count):
        history = histories()
        try:
            history.begin()
            # Short ones: later there is less and less to move, copy or delete.
            for _ in range(10):
                step = getattr(history, die.choice(RULES))
                step(**{name: draw(die, name) for name in inspect.signature(step).parameters})
                history.the_same_files_and_folders()
                history.no_temporary_file()
        finally:
            history.teardown()


#: What a walk has to have met for its success to mean anything: beginnings of
#: an operation's name, and how it ended.
MET = [
    *[(name, "ok") for name in ("write", "delete", "delete_folder", "move", "copy", "get_")],
    *[(name, "InvalidPath") for name in ("write", "delete", "delete_folder", "move", "copy")],
    *[(name, "NotFound") for name in ("delete", "move", "copy", "get_")],
    *[(name, "AlreadyExists") for name in ("write", "cancelled", ("move", "copy"))],
    ("write", "CallerError"),
    ("cancelled", "CancelledError"),
    ("delete_folder", "DirectoryNotEmpty"),
]


@pytest.mark.parametrize("kind", ["reference", "memory", "local"])
def test_histories(kind: str) -> None:
    """Every history gives what the model says, and leaves the files that it says."""
    # Each step on a disk takes several hops to a thread.
    bounds = settings(BOUNDS, max_examples=25) if kind == "local" else BOUNDS
    run_state_machine_as_test(machine(kind), settings=bounds)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["reference", "memory", "local"])
def test_a_walk_that_meets_every_outcome(kind: str) -> None:
    """A walk on which each operation ends in each of its ways gives what the model says."""
    histories = machine(kind)
    walk(histories)
    for begin, outcome in MET:
        met = [name for name, end in histories.outcomes if end == outcome]
        assert any(name.startswith(begin) for name in met), (begin, outcome)


class Losing(DictBackend):
    """Drops a folder with its last file, as flat stores do."""

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        await super().delete(path, missing_ok=missing_ok)
        folder = path.rpartition("/")[0]
        if not any(k.startswith(f"{folder}/") for k in self.files):
            self.folders.discard(folder)


class Damaging(DictBackend):
    """Overwrites its target although it reports that it refused to."""

    async def copy(self, src: str, dst: str, *, overwrite: bool = False) -> None:
        try:
            await super().copy(src, dst, overwrite=overwrite)
        except AlreadyExists:
            await super().copy(src, dst, overwrite=True)
            raise


@pytest.mark.parametrize("wrong", [Losing, Damaging])
def test_a_wrong_backend_is_found_out(wrong: type[DictBackend]) -> None:
    """The rules fail for a backend with one small fault, so they can fail."""
    with pytest.raises(AssertionError):
        walk(machine("", lambda kind, folder: wrong()))
