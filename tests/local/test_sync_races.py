"""Of any number of threads that create one key with the sync backend exactly one succeeds."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.local.conftest import litter
from tests.local.test_exclusive import check_then_act

from remote_store import (
    AlreadyExists,
)
from remote_store_local import LocalBackend, _publish, _transfer

WRITERS = 16


def attempts(local: LocalBackend, kind: str) -> Callable[[str, int], object]:
    def attempt(key: str, n: int) -> object:
        data = b"%d" % n
        if kind == "bytes":
            return local.write(key, data)
        if kind == "stream":
            return local.write(key, io.BytesIO(data))
        if kind == "open_atomic":
            with local.open_atomic(key) as file:
                file.write(data)
            return None
        local.write(f"source{n}", data, overwrite=True)
        (local.move if kind == "move" else local.copy)(f"source{n}", key)
        return None

    return attempt


def race(local: LocalBackend, kind: str, rounds: int) -> None:
    """Let threads create the same keys; require one winner each, whose content is there."""
    attempt = attempts(local, kind)
    keys = [f"{kind}{n}" for n in range(rounds)]
    answers: list[list[object]] = [[None] * WRITERS for _ in keys]
    barrier = threading.Barrier(WRITERS)

    def writer(n: int) -> None:
        for turn, key in enumerate(keys):
            barrier.wait(30)
            try:
                attempt(key, n)
                answers[turn][n] = "won"
            except Exception as error:
                answers[turn][n] = error

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key, answer in zip(keys, answers, strict=True):
        winners = [n for n, a in enumerate(answer) if a == "won"]
        assert len(winners) == 1, f"{len(winners)} succeeded"
        assert all(isinstance(a, AlreadyExists) for a in answer if a != "won"), answer
        assert local.read_bytes(key) == b"%d" % winners[0]


KINDS = ["bytes", "stream", "open_atomic", "move", "copy"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_many_threads_wins(root: Path, kind: str) -> None:
    """Of 16 threads that create one key exactly one succeeds (WRITE-004)."""
    race(LocalBackend(root, fsync="never"), kind, 30)
    assert litter(root) == []


@pytest.mark.parametrize("kind", KINDS)
def test_check_then_act_fails_the_race(
    root: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same race catches a backend that looks first and acts afterwards."""
    monkeypatch.setattr(_publish, "rename_exclusive", check_then_act)
    monkeypatch.setattr(_transfer, "rename_exclusive", check_then_act)
    with pytest.raises(AssertionError, match="succeeded"):
        race(LocalBackend(root, fsync="never"), kind, 200)
