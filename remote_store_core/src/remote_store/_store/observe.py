"""Logging and events around one operation; entered only while somebody looks."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Final, Literal, TypeVar, cast

from remote_store._plugins.hub import hub
from remote_store._types.errors import CapabilityNotSupported
from remote_store._types.models import WriteResult
from remote_store._types.path import RemotePath, text_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Observation", "Observed", "together"]

T = TypeVar("T")

#: Operations whose completion is worth an INFO record.
_REPORTED: Final = frozenset(
    {
        "write",
        "write_text",
        "write_atomic",
        "open_atomic",
        "delete",
        "delete_folder",
        "move",
        "copy",
        "copy_from",
        "create_folder",
        "ping",
    }
)


class Observed:
    """
    What is observed of one operation, sync or async.

    Args:
        log: Logger of the store's module.
        name: The operation.
        path: The caller's path.
        backend: Name of the backend.
        changes: False for an operation that turned out to have nothing to do:
            it gets no INFO record.
    """

    # Not attrs: it would be a tenth of the time that importing the core takes.
    __slots__ = ("_bytes", "backend", "changes", "log", "name", "path")

    #: What a cancelled operation raises; an interrupt is the sync form of that.
    CANCELLATION: ClassVar[type[BaseException]] = KeyboardInterrupt

    def __init__(
        self,
        log: logging.Logger,
        name: str,
        path: str | RemotePath,
        backend: str,
        changes: bool = True,
    ) -> None:
        self.log: logging.Logger = log
        self.name: str = name
        self.path: str = text_of(path)
        self.backend: str = backend
        self.changes: bool = changes
        self._bytes: int | None = None

    def note(self, result: object) -> None:
        """Remember how many bytes a result stands for."""
        if isinstance(result, bytes):
            self._bytes = (self._bytes or 0) + len(result)
        elif isinstance(result, list):  # the parts of a file
            self._bytes = sum(map(len, result))
        elif isinstance(result, WriteResult) and result.source != "sidecar":
            self._bytes = result.size

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Log the operation that the body is, and report it at its end."""
        start = self.begin()
        try:
            yield
        except GeneratorExit:
            self._report(start, None)
            raise
        except BaseException as error:
            self._report(start, error)
            raise
        self.end(start, None)

    def begin(self) -> float:
        """Log the operation; return its beginning, for `end`."""
        self.log.debug("%s %r", self.name, self.path, extra=self._extra())
        return perf_counter()

    def end(self, start: float, error: BaseException | None) -> None:
        """Report the operation, and log it if it went well."""
        self._report(start, error)
        if error is None and self.changes and self.name in _REPORTED:
            self.log.info("%s %r done", self.name, self.path, extra=self._extra())

    def _extra(self) -> dict[str, str]:
        return {"op": self.name, "path": self.path, "backend": self.backend}

    def _report(self, start: float, error: BaseException | None) -> None:
        if not hub.listening:
            return
        outcome: Literal["ok", "error", "cancelled"] = "ok"
        if error is not None:
            outcome = "cancelled" if isinstance(error, self.CANCELLATION) else "error"
        seconds = perf_counter() - start
        # Whoever listens has loaded it with the hooks.
        from remote_store._plugins.event import OperationEvent

        hub.emit(
            OperationEvent(self.name, self.path, self.backend, self._bytes, seconds, outcome, error)
        )


@contextlib.contextmanager
def together(observed: Mapping[str, Observed]) -> Iterator[dict[str, object]]:
    """
    Observe operations that the body makes together, each as if it was made alone.

    Args:
        observed: They, by key.

    Yields:
        What the body fills: what each that was made has returned or raised.

    Raises:
        CapabilityNotSupported: By the body, where nothing was done; none is observed then.
    """
    ends: dict[str, object] = {}
    starts = {key: one.begin() for key, one in observed.items()}
    try:
        yield ends
    except CapabilityNotSupported:
        raise
    except BaseException as error:
        for key, one in observed.items():
            one.end(starts[key], error)
        raise
    for key, one in observed.items():
        if key in ends:
            end = ends[key]
            one.note(end)
            one.end(starts[key], end if isinstance(end, BaseException) else None)


class Observation(Observed):
    """Observes one operation of a sync store."""

    __slots__ = ()

    def call(self, function: Callable[[], T]) -> T:
        """Run an operation."""
        with self.timed():
            result = function()
            self.note(result)
        return result

    def iterate(self, items: Generator[T, None, None]) -> Generator[T, None, None]:
        """Relay an iterator; it is observed until it is exhausted or closed."""
        with self.timed(), contextlib.closing(items):
            yield from items

    def open(self, function: Callable[[], BinaryIO]) -> BinaryIO:
        """Open a stream; it is observed until it is closed."""
        end = contextlib.ExitStack()
        end.enter_context(self.timed())
        with contextlib.ExitStack() as failed:
            failed.push(end)
            stream = function()
            failed.pop_all()
        return cast("BinaryIO", _ObservedStream(stream, self, end))


class _ObservedStream(io.BufferedIOBase):
    """Counts what is read from a stream; everything else is the stream's."""

    def __init__(
        self, stream: BinaryIO, observation: Observation, end: contextlib.ExitStack
    ) -> None:
        super().__init__()
        self._stream = stream
        self._observation = observation
        self._end = end

    def read(self, size: int | None = -1, /) -> bytes:
        return self._counted(lambda: self._stream.read(-1 if size is None else size))

    def read1(self, size: int = -1, /) -> bytes:
        read = getattr(self._stream, "read1", self._stream.read)
        return self._counted(lambda: read(size))

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._counted(lambda: self._stream.readline(-1 if size is None else size))

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        lines: list[bytes] = []

        def read() -> bytes:  # at once, since the stream goes back to the first when one fails
            lines.extend(self._stream.readlines(hint))
            return b""

        self._counted(read)
        for line in lines:
            self._observation.note(line)
        return lines

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        data = self.read(len(target))
        target[: len(data)] = data
        return len(data)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # of our own, not there yet
            raise AttributeError(name)
        value = getattr(self._stream, name)
        return (lambda: self._counted(value)) if name == "readall" else value

    def _counted(self, read: Callable[[], bytes]) -> bytes:
        try:
            data = read()
        except BaseException as error:
            # The first failure is how the operation ended.
            self._end.pop_all().__exit__(type(error), error, error.__traceback__)
            raise
        self._observation.note(data)
        return data

    def readable(self) -> bool:
        return self._stream.readable()

    def writable(self) -> bool:
        return self._stream.writable()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def seekable(self) -> bool:
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def fileno(self) -> int:
        return self._stream.fileno()

    def close(self) -> None:
        if not self.closed:
            try:
                with self._end:
                    self._stream.close()
            finally:
                super().close()

    def __del__(self) -> None:
        # Closes nothing, since that may wait, and this may run at any moment
        # in any thread: the stream has a finaliser of its own.
        self._end.close()
