"""Any sequence of operations leaves the emulator as a dictionary says it must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest
from tests.emulator.account import ANY, Filesystem

from hns_emulator import HnsEmulator
from hns_emulator.replay._send import ReceivedAnswer

pytestmark = pytest.mark.slow

Result = tuple[int, str | None]
DONE: Result = (201, None)


class Model:
    """What a hierarchical namespace is: paths with bytes, or None for a directory."""

    def __init__(self) -> None:
        self.nodes: dict[str, bytes | None] = {}
        self.pending: dict[str, bytes] = {}
        self.by_blob: set[str] = set()

    def create(self, path: str, directory: bool, exclusive: bool) -> Result:
        if self.below_file(path):
            return 409, "PathConflict"
        if path in self.nodes and exclusive:
            return 409, "PathAlreadyExists"
        if path in self.nodes and directory != (self.nodes[path] is None):
            return 409, "PathConflict"
        self._put(path, None if directory else b"")
        return DONE

    def append(self, path: str, data: bytes) -> Result:
        if self.below_file(path):
            return 501, "EmulatorUnverified"
        if path not in self.nodes:
            return 404, "PathNotFound"
        if self.nodes[path] is None:
            return 501, "EmulatorUnverified"
        if path in self.by_blob:
            return 409, "InvalidFlushOperation"
        self.pending[path] = self.pending.get(path, b"") + data
        return 202, None

    def flush(self, path: str, offset: int) -> Result:
        if self.below_file(path):
            return 501, "EmulatorUnverified"
        if path not in self.nodes:
            return 404, "PathNotFound"
        content = self.nodes[path]
        if content is None:
            return 501, "EmulatorUnverified"
        if path in self.by_blob:
            return 409, "InvalidFlushOperation"
        if offset:
            return 400, "InvalidFlushPosition"
        self.nodes[path] = content + self.pending.pop(path, b"")
        return 200, None

    def put_blob(self, path: str, data: bytes, exclusive: bool) -> Result:
        if self.below_file(path):
            return 404, "BlobNotFound"
        if self.nodes.get(path, b"") is None:
            return 409, "ResourceTypeMismatch"
        if path in self.nodes and exclusive:
            return 409, "BlobAlreadyExists"
        self._put(path, data)
        self.by_blob.add(path)
        return DONE

    def rename(self, source: str, target: str, exclusive: bool) -> Result:
        if self.below_file(source):
            return 501, "EmulatorUnverified"
        if source not in self.nodes:
            return 404, "SourcePathNotFound"
        if self.below_file(target):
            return 409, "InvalidSourceOrDestinationResourceType"
        if any(folder not in self.nodes for folder in ancestors(target)[-1:]):
            return 404, "RenameDestinationParentPathNotFound"
        directory = self.nodes[source] is None
        if directory and f"{target}/".startswith(f"{source}/"):
            return 409, "InvalidRenameSourcePath"
        if target in self.nodes:
            if exclusive:
                return 409, "PathAlreadyExists"
            if directory != (self.nodes[target] is None):
                return 409, "InvalidSourceOrDestinationResourceType"
            if directory and len(self.below(target)) > 1:
                return 501, "EmulatorUnverified"
            self._forget(target)
        for old in self.below(source):
            new = target + old[len(source) :]
            self.nodes[new] = self.nodes[old]
            if old in self.pending:
                self.pending[new] = self.pending[old]
            if old in self.by_blob:
                self.by_blob.add(new)
        self._forget(source)
        return DONE

    def delete(self, path: str, recursive: bool) -> Result:
        if self.below_file(path):
            return 409, "PathConflict"
        if path not in self.nodes:
            return 404, "PathNotFound"
        if self.nodes[path] is None and not recursive and len(self.below(path)) > 1:
            return 409, "DirectoryNotEmpty"
        self._forget(path)
        return 200, None

    def below_file(self, path: str) -> bool:
        """Tell whether a file is above a path."""
        return any(self.nodes.get(above) is not None for above in ancestors(path))

    def below(self, path: str) -> list[str]:
        """Give a path and all below it."""
        return [node for node in self.nodes if f"{node}/".startswith(f"{path}/")]

    def listing(self) -> list[tuple[str, str]]:
        """Give paths and sizes, parents before children; a directory's size is `-`."""
        ordered = sorted(self.nodes, key=lambda path: path.split("/"))
        sizes = [(path, self.nodes[path]) for path in ordered]
        return [(path, "-" if data is None else str(len(data))) for path, data in sizes]

    def _put(self, path: str, data: bytes | None) -> None:
        for above in ancestors(path):
            self.nodes[above] = None
        self.nodes[path] = data
        self.pending.pop(path, None)
        self.by_blob.discard(path)

    def _forget(self, path: str) -> None:
        for node in self.below(path):
            del self.nodes[node]
            self.pending.pop(node, None)
            self.by_blob.discard(node)


def ancestors(path: str) -> list[str]:
    """Give the folders above a path, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


PATHS = ["a", "b", "a/x", "a/y", "b/x", "a/x/1", "a/x/1/deep"]
OFTEN = [
    *("create", "create", "append", "append", "append", "flush", "flush", "flush"),
    *("put_blob", "rename", "rename", "delete"),
]


def steps(die: Random) -> Iterator[tuple[Any, ...]]:
    """Give random operations, each with a number that chooses its path."""
    for _ in range(die.randint(15, 30)):
        name = die.choice(OFTEN)
        flag, data = die.random() < 0.5, die.randbytes(die.randint(1, 4))
        arguments: dict[str, tuple[Any, ...]] = {
            "create": (flag, die.random() < 0.5),
            "append": (data,),
            "flush": (die.choice([0, 0, 1]),),
            "put_blob": (data, flag),
            "rename": (die.choice(PATHS), flag),
            "delete": (flag,),
        }
        yield name, die.randrange(35), *arguments[name]


#: What the sequences must come across, or they prove too little.
REACHED: set[tuple[str, Result]] = {
    *(("create", DONE), ("append", (202, None)), ("flush", (200, None)), ("rename", DONE)),
    *(("put_blob", DONE), ("delete", (200, None)), ("flush", (400, "InvalidFlushPosition"))),
    *(("create", (409, code)) for code in ("PathAlreadyExists", "PathConflict")),
    *((name, (404, "PathNotFound")) for name in ("append", "flush", "delete")),
    *((name, (409, "InvalidFlushOperation")) for name in ("append", "flush")),
    *(("put_blob", (409, code)) for code in ("BlobAlreadyExists", "ResourceTypeMismatch")),
    ("put_blob", (404, "BlobNotFound")),
    ("delete", (409, "PathConflict")),
    ("rename", (404, "SourcePathNotFound")),
    ("rename", (404, "RenameDestinationParentPathNotFound")),
    ("rename", (409, "PathAlreadyExists")),
    ("rename", (409, "InvalidRenameSourcePath")),
    ("rename", (409, "InvalidSourceOrDestinationResourceType")),
    ("delete", (409, "DirectoryNotEmpty")),
}


def chosen(model: Model, name: str, number: int) -> str:
    """
    Give a path: mostly one that the operation can do something with.

    A fifth of the numbers takes any, so that operations on nothing come as well.
    """
    files = [path for path, data in model.nodes.items() if data is not None]
    wanted = {
        "append": files,
        "put_blob": files + PATHS,
        "flush": list(model.pending) or files,
        "rename": list(model.nodes),
        "delete": list(model.nodes),
    }.get(name, [])
    paths = wanted if wanted and number % 5 else PATHS
    return paths[number // 5 % len(paths)]


class Real:
    """The same operations on the emulator."""

    def __init__(self, fs: Filesystem, model: Model) -> None:
        self.fs = fs
        self.model = model

    def create(self, path: str, directory: bool, exclusive: bool) -> ReceivedAnswer:
        kind = "directory" if directory else "file"
        return self.fs.dfs("PUT", path, f"resource={kind}", ANY if exclusive else None)

    def append(self, path: str, data: bytes) -> ReceivedAnswer:
        return self.fs.append(path, self.end(path), data)

    def flush(self, path: str, offset: int) -> ReceivedAnswer:
        return self.fs.flush(path, self.end(path) + offset)

    def put_blob(self, path: str, data: bytes, exclusive: bool) -> ReceivedAnswer:
        headers = {"x-ms-blob-type": "BlockBlob", **(ANY if exclusive else {})}
        return self.fs.blob("PUT", path, "", headers, data)

    def rename(self, source: str, target: str, exclusive: bool) -> ReceivedAnswer:
        return self.fs.rename(source, target, ANY if exclusive else None)

    def delete(self, path: str, recursive: bool) -> ReceivedAnswer:
        directory = self.model.nodes.get(path, b"") is None
        return self.fs.delete(path, f"recursive={str(recursive).lower()}" if directory else "")

    def end(self, path: str) -> int:
        """Give the position where the next append goes."""
        return len(self.model.nodes.get(path) or b"") + len(self.model.pending.get(path, b""))


def require_equal(step: tuple[Any, ...], result: Result, answer: ReceivedAnswer) -> None:
    """Require the model's status and code."""
    assert result == (answer.status, answer.code), step


def etags_after(
    step: tuple[Any, ...], answer: ReceivedAnswer, before: dict[str, str], now: dict[str, str]
) -> dict[str, str]:
    """Tell which ETags must be in the listing: only what was changed has a new one."""
    name, path = step[:2]
    expected = {known: etag for known, etag in before.items() if known in now}
    if name == "rename" and answer.status < 300:
        target = step[2]
        expected = {k: v for k, v in expected.items() if not f"{k}/".startswith(f"{target}/")}
        for known, etag in before.items():
            if f"{known}/".startswith(f"{path}/"):
                expected[target + known[len(path) :]] = etag
    elif answer.status < 300 and "etag" in answer.headers:
        expected[path] = answer.headers["etag"].strip('"')
        kept = name == "flush" and expected[path] == before[path]  # of nothing
        assert kept or expected[path] not in before.values()
    return expected


@pytest.fixture(scope="module")
def emulator() -> Iterator[HnsEmulator]:
    """An emulator that checks its tree after each request."""
    with HnsEmulator(debug=True) as running:
        yield running


def follow(steps: Iterable[tuple[Any, ...]], fs: Filesystem, reached: Counter[object]) -> None:
    """Do the same to model and emulator; require the same answers, listings and ETags."""
    model = Model()
    real = Real(fs, model)
    etags: dict[str, str] = {}
    for name, number, *rest in steps:
        path = chosen(model, name, number)
        if name == "rename" and path == rest[0]:
            continue
        step = (name, path, *rest)
        answer = getattr(real, name)(path, *rest)
        result = getattr(model, name)(path, *rest)
        reached[name, result] += 1
        require_equal(step, result, answer)
        entries = fs.entries()
        shown = [
            (e["name"], "-" if e.get("isDirectory") == "true" else e["contentLength"])
            for e in entries
        ]
        assert model.listing() == shown, step
        now = {e["name"]: e["etag"] for e in entries}
        expected = etags_after(step, answer, etags, now)
        assert expected == {known: now[known] for known in expected}, step
        etags = now
    for path, data in model.nodes.items():
        assert fs.read(path) == (data or b"")


@pytest.mark.long
def test_model(emulator: HnsEmulator) -> None:
    """Every answer, the listing, the ETags and the contents are the model's."""
    reached: Counter[object] = Counter()

    # Not by Hypothesis, whose choices differ between machines: what is reached would be luck.
    for seed in range(60):
        with Filesystem(emulator) as fs:
            follow(steps(Random(seed)), fs, reached)
    assert not {outcome for outcome in REACHED if not reached[outcome]}
