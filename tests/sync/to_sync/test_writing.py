"""AsyncBackendSyncAdapter: every form of content, and files that are published at their end."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from remote_store import (
    AlreadyExists,
    AsyncBackendSyncAdapter,
)

CONTENTS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"abc",
    "bytearray": lambda: bytearray(b"abc"),
    "memoryview": lambda: memoryview(b"abc"),
    "file": lambda: io.BytesIO(b"abc"),
    "iterable": lambda: iter([b"a", b"bc"]),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("name", ["write", "write_atomic"])
def test_contents(adapter: AsyncBackendSyncAdapter, kind: str, name: str) -> None:
    """Every form of content is written whole, with its metadata."""
    source = CONTENTS[kind]()
    result = getattr(adapter, name)("n", source, metadata={"a": "b"})
    assert (result.size, result.source, result.metadata) == (3, "native", {"a": "b"})
    assert adapter.read_bytes("n") == b"abc"
    assert not getattr(source, "closed", False)


def test_failing_source(adapter: AsyncBackendSyncAdapter) -> None:
    """The file's error passes as the same object, and nothing is written."""
    error = OSError("source")

    class Broken(io.RawIOBase):
        def readinto(self, buffer: Any) -> int:
            raise error

    with pytest.raises(OSError, match="source") as caught:
        adapter.write("n", Broken())
    assert caught.value is error
    assert not adapter.exists("n")
    with pytest.raises(TypeError):
        adapter.write("n", "text")  # type: ignore[arg-type]


def test_copy_through_its_own_stream(adapter: AsyncBackendSyncAdapter) -> None:
    """A stream of the adapter can be the source of a write to it."""
    with adapter.read("a/x") as stream:
        assert adapter.write("copy", stream).size == 5
    assert adapter.read_bytes("copy") == b"12345"


def test_open_atomic(adapter: AsyncBackendSyncAdapter) -> None:
    """Published at the end, not at all after an error; conflicts appear at the end."""
    with adapter.open_atomic("n") as file:
        file.write(b"12")
        assert not adapter.exists("n")
    assert adapter.read_bytes("n") == b"12"
    with pytest.raises(ZeroDivisionError), adapter.open_atomic("m") as file:
        raise ZeroDivisionError
    assert not adapter.exists("m")
    manager = adapter.open_atomic("n")
    file = manager.__enter__()
    file.write(b"34")
    with pytest.raises(AlreadyExists):
        manager.__exit__(None, None, None)
    manager.__exit__(None, None, None)
    assert adapter.read_bytes("n") == b"12"


def test_read_seekable(adapter: AsyncBackendSyncAdapter) -> None:
    """The forward-only stream is copied into one that can seek."""
    with adapter.read_seekable("a/x") as stream:
        assert stream.seek(3) == 3
        assert stream.read() == b"45"
