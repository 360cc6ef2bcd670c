"""The sync store: events and log records of its operations."""

from __future__ import annotations

import gc
import io
import logging
from typing import cast

import pytest
from tests.contract.probes import Listener
from tests.sync.reference import DictBackend
from tests.sync.store.probes import Pipe

from remote_store import (
    NotFound,
    Store,
)


def test_events(store: Store, listener: Listener) -> None:
    """Each operation makes one event, with its bytes, at its end."""
    store.write("n", [b"12", b"3"])
    store.read_text("n")
    with store.read("n") as stream:
        stream.read(2)
        assert len(listener.events) == 2
    list(store.list_files(""))
    store.move("n", "./n")
    with store.open_atomic("o") as file:
        file.write(b"1")
    with pytest.raises(NotFound) as missing:
        store.read("gone")
    with pytest.raises(NotFound):
        store.delete("gone")

    assert [(e.name, e.path, e.bytes, e.outcome) for e in listener.events] == [
        ("write", "n", 3, "ok"),
        ("read_bytes", "n", 3, "ok"),
        ("read", "n", 2, "ok"),
        ("list_files", "", None, "ok"),
        ("move", "n", None, "ok"),
        ("open_atomic", "o", None, "ok"),
        ("read", "gone", None, "error"),
        ("delete", "gone", None, "error"),
    ]
    assert listener.events[-2].error is missing.value


def test_interrupt_is_a_cancellation(
    store: Store, backend: DictBackend, listener: Listener
) -> None:
    """KeyboardInterrupt passes, and the event says cancelled."""

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    backend.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        store.exists("a")
    assert [e.outcome for e in listener.events] == ["cancelled"]


def test_watched_stream_is_the_stream(
    store: Store, backend: DictBackend, listener: Listener
) -> None:
    """While somebody listens a stream still does all it can; its failure is in the event."""
    with store.read("a/x.csv") as stream:
        assert stream.readable()
        assert stream.seekable()
        assert stream.seek(1) == 1
        assert stream.readline(2) == b"23"
        assert stream.tell() == 3
        buffer = bytearray(9)
        assert stream.readinto(buffer) == 2  # type: ignore[attr-defined]
        with pytest.raises(io.UnsupportedOperation):
            stream.fileno()
    assert backend.streams[-1].closed
    with io.BufferedReader(cast("io.RawIOBase", store.read("a/x.csv"))) as buffered:
        assert buffered.read1(9) == b"12345"
    assert [(e.bytes, e.outcome) for e in listener.events] == [(4, "ok"), (5, "ok")]

    broken = Pipe(b"")
    broken.read = lambda size=-1: 1 // 0  # type: ignore[method-assign]
    backend.read = lambda path: broken  # type: ignore[method-assign, assignment, return-value]
    with store.read("n") as stream, pytest.raises(ZeroDivisionError) as caught:
        stream.read(1)
    assert listener.events[-1].error is caught.value
    assert len(listener.events) == 3


def test_log_records(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """DEBUG for each call, INFO for each completed change, with the extra fields."""
    with caplog.at_level(logging.DEBUG, "remote_store"):
        store.write("n", b"")
        store.exists("n")
        store.copy("n", "n")
    assert [(r.levelname, r.op, r.path, r.backend, r.name) for r in caplog.records] == [  # type: ignore[attr-defined]
        ("DEBUG", "write", "n", "dict", "remote_store._store.store"),
        ("INFO", "write", "n", "dict", "remote_store._store.store"),
        ("DEBUG", "exists", "n", "dict", "remote_store._store.store"),
        ("DEBUG", "copy", "n", "dict", "remote_store._store.store"),
    ]


class Rich(io.BytesIO):
    """A stream with more than a stream must have."""

    name = "rich"
    _inner = 1
    closes = 0

    def readall(self) -> bytes:
        return self.read()

    def close(self) -> None:
        type(self).closes += 1
        super().close()


def test_watched_stream_keeps_what_it_was(
    store: Store, backend: DictBackend, listener: Listener
) -> None:
    """Names that only some streams have are there while somebody listens, and no others."""
    backend.read = lambda path: Rich(b"12345")  # type: ignore[method-assign]
    with cast("Rich", store.read("a/x.csv")) as stream:
        assert stream.name == "rich"
        assert stream.writable()
        assert stream.isatty() is False
        assert bytes(stream.getbuffer()[:1]) == b"1"
        assert stream.readall() == b"12345"
        assert not hasattr(stream, "peek")
        assert not hasattr(stream, "_inner")
    assert [(e.bytes, e.outcome) for e in listener.events] == [(5, "ok")]


def test_dropped_stream_is_not_closed_by_the_watch(
    store: Store, backend: DictBackend, listener: Listener
) -> None:
    """A stream that is dropped is left to its own finaliser: closing may wait for somebody."""
    kept = Rich(b"12345")
    backend.read = lambda path: kept  # type: ignore[method-assign]
    stream = store.read("a/x.csv")
    stream.read(2)
    before = Rich.closes
    del stream
    gc.collect()
    assert Rich.closes == before
    assert not kept.closed
    assert [(e.bytes, e.outcome) for e in listener.events] == [(2, "ok")]
