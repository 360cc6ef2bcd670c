"""Which filesystems are the same one, what shows their secrets, and how they end."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.asyn import get_loop, sync

from remote_store import Secret
from remote_store.aio import AsyncStore
from remote_store_fsspec import RemoteStoreFileSystem
from remote_store_memory import AsyncMemoryBackend

KEY = "c2VjcmV0LWtleQ=="


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    RemoteStoreFileSystem.clear_instance_cache()


def test_stores_of_one_kind_are_not_taken_for_each_other() -> None:
    """They print the same; a cached instance would write into the wrong one."""
    one, other = (
        fsspec.filesystem("remote-store", store=AsyncStore(AsyncMemoryBackend())) for _ in range(2)
    )
    one.pipe("a", b"1")

    assert not other.exists("a")
    assert one != other
    assert one.__dask_tokenize__() != other.__dask_tokenize__()


def test_secrets_are_told_apart_though_they_print_the_same() -> None:
    """Another key is another account's view."""
    store = "azure://box"
    keys = [Secret(KEY), Secret("b3RoZXI="), KEY]
    one, other, same = (
        fsspec.filesystem("remote-store", store=store, account_name="me", account_key=key)
        for key in keys
    )

    assert one is not other
    assert one != other
    assert same is one


def test_a_secret_is_shown_nowhere() -> None:
    """Neither by the filesystem nor by its options, whether in an option or in the URL."""
    fs = fsspec.filesystem(
        "remote-store", store="azure://box?sig=c2VjcmV0LXNhcw", account_name="me", account_key=KEY
    )

    for text in (repr(fs), repr(fs.storage_options), str(fs.storage_args), repr(fs._source)):
        assert KEY not in text
        assert "c2VjcmV0LXNhcw" not in text
    copy = pickle.loads(pickle.dumps(fs))
    assert copy is fs


def test_a_pickle_refers_to_a_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process that opens the store has it, and nobody on the way."""
    monkeypatch.setenv("THE_FOLDER", str(tmp_path))
    fs = fsspec.filesystem("remote-store", store="local://${THE_FOLDER}/data")
    fs.pipe("a", b"1")

    assert str(tmp_path).encode() not in pickle.dumps(fs)
    assert (tmp_path / "data" / "a").read_bytes() == b"1"
    assert fs.storage_options == {"store": "local://${THE_FOLDER}/data"}
    assert RemoteStoreFileSystem.from_json(fs.to_json()) is fs


def test_another_process_rebuilds_it(tmp_path: Path) -> None:
    """With its store, and the version of a file that is open."""
    fs = fsspec.filesystem("remote-store", store=f"local://{tmp_path}")
    fs.pipe("a", b"0123456789")
    file = fs.open("a")
    file.seek(3)

    program = "import pickle, sys; f = pickle.load(sys.stdin.buffer); print(f.read().decode())"
    command = [sys.executable, "-P", "-W", "error", "-c", program]
    done = subprocess.run(command, input=pickle.dumps(file), capture_output=True, check=True)
    assert done.stdout == b"3456789\n"
    assert done.stderr == b""


def test_a_store_that_lives_in_memory_is_not_pickled() -> None:
    """A copy would be another store."""
    fs = RemoteStoreFileSystem(store=AsyncStore(AsyncMemoryBackend()))
    with pytest.raises(TypeError, match="memory"):
        pickle.dumps(fs)


class _Closing(AsyncMemoryBackend):
    """Counts how often it is closed."""

    closed: list[str] = []  # noqa: RUF012

    async def aclose(self) -> None:
        self.closed.append(threading.current_thread().name)


def test_what_nobody_has_any_more_is_closed_without_a_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where garbage is collected in the loop's own thread, which the closing needs."""
    from remote_store import register_backend, unregister_backend

    monkeypatch.setattr(_Closing, "closed", [])
    register_backend("closing", _Closing)
    try:
        fs = RemoteStoreFileSystem(store="closing:", skip_instance_cache=True)
        fs.pipe("a", b"1")
        del fs

        async def collect() -> None:
            gc.collect()

        began = time.monotonic()
        sync(get_loop(), collect)
        assert time.monotonic() - began < 2
        while not _Closing.closed and time.monotonic() - began < 10:
            time.sleep(0.01)
    finally:
        unregister_backend("closing")
    assert _Closing.closed == ["fsspecIO"]


def test_the_end_of_a_process_closes_what_is_open(tmp_path: Path) -> None:
    """Connections, for example, which would be reported as left open."""
    program = f"""
import fsspec
from remote_store import register_backend
from remote_store_memory import AsyncMemoryBackend

class Closing(AsyncMemoryBackend):
    async def aclose(self):
        open({str(tmp_path / "closed")!r}, "w").close()

register_backend("closing", Closing)
fsspec.filesystem("remote-store", store="closing:").pipe("a", b"1")
"""
    subprocess.run([sys.executable, "-P", "-c", program], check=True)
    assert (tmp_path / "closed").exists()
