"""Logging and events around one operation; entered only while somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Iterator
from time import perf_counter
from typing import Final, TypeVar

from attrs import define, field

from remote_store._hooks import OperationEvent, hub
from remote_store._models import WriteResult

__all__ = ["Watch"]

T = TypeVar("T")

#: Operations whose completion is worth an INFO record.
_REPORTED: Final = frozenset(
    {"write", "write_text", "write_atomic", "delete", "delete_folder", "move", "copy", "ping"}
)


@define
class Watch:
    """
    Watches one operation.

    Args:
        log: Logger of the store's module.
        name: The operation.
        path: The caller's path.
        backend: Name of the backend.
    """

    log: logging.Logger
    name: str
    path: str
    backend: str
    _bytes: int | None = field(default=None, init=False)

    async def call(self, awaitable: Awaitable[T]) -> T:
        """Await an operation."""
        with self._timed():
            result = await awaitable
            if isinstance(result, bytes):
                self._bytes = len(result)
            elif isinstance(result, WriteResult) and result.source != "sidecar":
                self._bytes = result.size
        return result

    async def iterate(self, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Relay an iterator; it is watched until it is exhausted or closed."""
        with self._timed():
            async with contextlib.aclosing(items):
                async for item in items:
                    if isinstance(item, bytes):
                        self._bytes = (self._bytes or 0) + len(item)
                    yield item

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        extra = {"op": self.name, "path": self.path, "backend": self.backend}
        self.log.debug("%s %r", self.name, self.path, extra=extra)
        start = perf_counter()
        try:
            yield
        except GeneratorExit:
            self._emit(start, None)
            raise
        except BaseException as error:
            self._emit(start, error)
            raise
        self._emit(start, None)
        if self.name in _REPORTED:
            self.log.info("%s %r done", self.name, self.path, extra=extra)

    def _emit(self, start: float, error: BaseException | None) -> None:
        if not hub.listening:
            return
        hub.emit(
            OperationEvent(
                name=self.name,
                path=self.path,
                backend=self.backend,
                bytes=self._bytes,
                seconds=perf_counter() - start,
                outcome=(
                    "ok"
                    if error is None
                    else "cancelled"
                    if isinstance(error, asyncio.CancelledError)
                    else "error"
                ),
                error=error,
            )
        )
