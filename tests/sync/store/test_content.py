"""The sync store: what may be written, and who closes it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.sync.reference import DictBackend

from remote_store import (
    AlreadyExists,
    InvalidPath,
    Store,
)

SOURCES: dict[str, Callable[[], Any]] = {
    "bytearray": lambda: bytearray(b"abc"),
    "memoryview": lambda: memoryview(b"abc"),
    "list": lambda: [b"a", b"", bytearray(b"bc")],
    "generator": lambda: (c for c in (b"a", b"bc")),
    "file": lambda: io.BytesIO(b"abc"),
    "buffered": lambda: io.BufferedReader(io.BytesIO(b"abc")),
    "duck": lambda: type("Duck", (), {"read": io.BytesIO(b"abc").read})(),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(store: Store, backend: DictBackend, kind: str) -> None:
    """Every kind of content is written whole; a file stays open."""
    source = SOURCES[kind]()

    assert store.write("n", source).size == 3
    assert backend.files["root/n"] == b"abc"
    assert not getattr(source, "closed", False)


async def _chunks() -> Any:
    yield b""


class AsyncFile:
    async def read(self, size: int) -> bytes:
        return b""


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("text", "write_text"),
        (io.StringIO("text"), "write_text"),
        (_chunks(), "AsyncStore"),
        (AsyncFile(), "AsyncStore"),
        (3, "got int"),
        (None, "got NoneType"),
    ],
)
def test_wrong_source(store: Store, backend: DictBackend, source: Any, hint: str) -> None:
    """What is no content is refused before anything is looked at, and the message says more."""
    with pytest.raises(TypeError, match=hint):
        store.write("../bad", source)
    assert backend.calls == []


@pytest.mark.parametrize(
    "source", [["text"], [b"a", 3], type("F", (), {"read": lambda s, n: "t"})()]
)
def test_wrong_chunks(store: Store, backend: DictBackend, source: Any) -> None:
    """A chunk that is not bytes is a TypeError, and nothing is written."""
    with pytest.raises(TypeError, match="must consist of bytes"):
        store.write("n", source)
    assert "root/n" not in backend.files


def test_failing_source_is_not_the_end(store: Store, backend: DictBackend) -> None:
    """A backend that reads on after the source's error gets that error again, never the end."""
    error = OSError("source")

    def source() -> Iterator[bytes]:
        yield b"1"
        raise error

    seen = []

    def greedy(path: str, content: Any, **options: Any) -> Any:
        content.read(1)
        for _ in range(2):
            try:
                seen.append(content.read(1))
            except OSError as raised:
                seen.append(raised)
        raise seen[0]

    backend.write = greedy  # type: ignore[method-assign]
    with pytest.raises(OSError, match="source") as caught:
        store.write("n", source())
    assert caught.value is error
    assert seen == [error, error]


@pytest.mark.parametrize("path", ["n", "a/x.csv", "", "../x"])
def test_generator_is_closed_in_every_case(store: Store, path: str) -> None:
    """Written, refused by the backend or by the store: the generator handed in is closed."""
    closed = []

    def source() -> Iterator[bytes]:
        try:
            yield b"1"
            yield b"2"
        finally:
            closed.append(True)

    content = source()
    next(content)
    with contextlib.suppress(AlreadyExists, InvalidPath):
        store.write(path, content)
    assert closed == [True]


def test_generator_of_an_iterable_is_closed(store: Store, backend: DictBackend) -> None:
    """A generator that the write itself got from ``__iter__`` is closed by it."""
    closed = []

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            try:
                yield b"1"
                yield b"2"
            finally:
                closed.append(True)

    def refuse(path: str, content: Any, **options: Any) -> Any:
        content.read(1)
        raise refused  # which keeps the generator alive

    refused = PermissionError()
    backend.write = refuse  # type: ignore[method-assign]
    with pytest.raises(PermissionError):
        store.write("n", Chunks())
    assert closed == [True]
