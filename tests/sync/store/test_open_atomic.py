"""`Store.open_atomic` of one version, and with content headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remote_store import (
    AsyncBackendSyncAdapter,
    Backend,
    Capability,
    CapabilityNotSupported,
    ContentHeaders,
    InvalidPath,
    PreconditionFailed,
    Store,
)
from remote_store_local import LocalBackend
from remote_store_memory import AsyncMemoryBackend, MemoryBackend

HEADERS = ContentHeaders(content_type="text/csv")
BACKENDS: dict[str, Callable[[Path], Backend]] = {
    "memory": lambda _: MemoryBackend(),
    "local": LocalBackend,
    "bridge": lambda _: AsyncBackendSyncAdapter(AsyncMemoryBackend()),
}


@pytest.mark.parametrize("kind", BACKENDS)
def test_one_version(kind: str, tmp_path: Path) -> None:
    """The one that is there is replaced; another one, or none, is told at the end of the block."""
    with Store(BACKENDS[kind](tmp_path), "root") as store:
        first = store.write("d/f", b"first").etag
        with store.open_atomic("d/f", if_match=first) as file:
            file.write(b"sec")
            file.write(b"ond")
        assert store.read_bytes("d/f") == b"second"
        for path in ("d/f", "d/none"):
            with (
                pytest.raises(PreconditionFailed),
                store.open_atomic(path, overwrite=True, if_match=first) as file,
            ):
                file.write(b"third")
        current = store.get_file_info("d/f").etag
        with (
            pytest.raises(ZeroDivisionError),
            store.open_atomic("d/f", if_match=current) as file,
        ):
            file.write(b"%d" % (1 // 0))
        with pytest.raises(InvalidPath), store.open_atomic("d", if_match=current):
            pass
        assert store.read_bytes("d/f") == b"second"
        assert [f.path.as_posix() for f in store.list_files("", recursive=True)] == ["d/f"]


@pytest.mark.parametrize("kind", ["memory", "bridge"])
def test_headers(kind: str, tmp_path: Path) -> None:
    """They are kept, and a larger file goes by the disk."""
    with Store(BACKENDS[kind](tmp_path)) as store:
        with store.open_atomic("f", headers=HEADERS) as file:
            for _ in range(9):
                file.write(b"x" * (1 << 20))
        info = store.get_file_info("f")
        assert (info.size, info.content_type) == (9 << 20, "text/csv")


def test_refused_before_the_block(tmp_path: Path) -> None:
    """What is none, and what the backend does not declare."""
    store = Store(LocalBackend(tmp_path))
    cases: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"if_match": ""}, ValueError),
        ({"if_match": 1}, TypeError),
        ({"headers": "text/csv"}, TypeError),
        ({"headers": HEADERS}, CapabilityNotSupported),
    ]
    for options, error in cases:
        with pytest.raises(error), store.open_atomic("f", **options):
            pytest.fail("entered")
    assert not store.supports(Capability.CONTENT_HEADERS)
    assert not store.exists("f")
