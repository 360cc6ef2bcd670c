"""A stream that cannot seek, and a look at a listing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any


def paths(items: Iterator[Any]) -> list[str]:
    return sorted(item.path.as_posix() for item in items)


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._inner.readinto(buffer)
