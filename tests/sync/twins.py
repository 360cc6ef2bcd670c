"""What the tests of the native sync backends share: a race for one key, and a file to write."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

from remote_store import AlreadyExists, Backend

__all__ = ["KINDS", "Source", "race"]

KINDS = ["bytes", "stream", "open_atomic", "move", "copy"]
WRITERS = 16


class Source:
    """A binary file that notes what was asked of it, and may fail at its end."""

    def __init__(self, *chunks: Any, error: BaseException | None = None) -> None:
        self.chunks = list(chunks)
        self.error = error
        self.asked: list[int] = []

    def read(self, size: int) -> Any:
        self.asked.append(size)
        if self.chunks:
            return self.chunks.pop(0)
        if self.error is not None:
            raise self.error
        return b""


def race(backend: Backend, kind: str, rounds: int) -> None:
    """Let threads create the same keys; require one winner each, whose content is there."""
    attempt = _attempts(backend, kind)
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
        assert all(isinstance(a, AlreadyExists) for a in answer if a != "won"), answer
        assert len(winners) == 1, f"{len(winners)} succeeded"
        assert backend.read_bytes(key) == b"%d" % winners[0]


def _attempts(backend: Backend, kind: str) -> Callable[[str, int], object]:
    def attempt(key: str, n: int) -> object:
        data = b"%d" % n
        if kind == "bytes":
            return backend.write(key, data)
        if kind == "stream":
            return backend.write(key, io.BytesIO(data))
        if kind == "open_atomic":
            with backend.open_atomic(key) as file:
                file.write(data)
            return None
        backend.write(f"source{n}", data, overwrite=True)
        return (backend.move if kind == "move" else backend.copy)(f"source{n}", key)

    return attempt
