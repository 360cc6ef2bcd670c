"""Services, one for each event loop, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Final

from remote_store import RetryPolicy
from remote_store.authoring import closed
from remote_store_objects._protocol.description import Description
from remote_store_objects._protocol.service import ObjectService
from remote_store_objects._session.in_flight import Calls
from remote_store_objects._session.session import Session, Sizes

__all__ = ["LoopState", "Loops"]

#: Seconds that a close waits for running calls.
_GRACE: Final = 5.0
#: Seconds beyond it for the removal of what calls that do not end would leave behind.
_TIDYING: Final = 2.0
#: Seconds beyond both for the loop of another thread to close its service.
_PATIENCE: Final = 2.0


class LoopState:
    """
    What one event loop has: a session, and the guard that closes the service with the loop.

    A context manager that counts a call; see `Loops.running`.
    """

    __slots__ = ("calls", "guard", "loop", "process", "session")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: Session,
        guard: AsyncGenerator[None, None],
    ) -> None:
        self.loop = loop
        self.process = os.getpid()
        self.session = session
        self.calls = session.calls
        self.guard = guard

    def __enter__(self) -> Session:
        self.calls.count += 1
        return self.session

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.calls.leave()

    async def shut(self, grace: float) -> None:
        """Wait for running calls, then end what still waits, tidy up and close the service."""
        await self.calls.wait(grace)
        await self.calls.end(_TIDYING)
        with contextlib.suppress(RuntimeError):  # the loop is closing it already
            await self.guard.aclose()


class Loops:
    """
    The services of one backend. They share nothing between loops but their configuration.

    Args:
        connect: Makes the service of the running loop, given the calls of that
            loop, without I/O.
        description: Of each of them.
        retry: How patiently failures are met.
        sizes: How content is cut.
    """

    def __init__(
        self,
        connect: Callable[[Calls], ObjectService],
        description: Description,
        retry: RetryPolicy,
        sizes: Sizes,
    ) -> None:
        self._connect = connect
        self._description = description
        self._retry = retry
        self._sizes = sizes
        #: Each step on it is one of the interpreter's: a lock might be held when a process forks.
        self._states: dict[asyncio.AbstractEventLoop, LoopState] = {}
        self._closed = False

    def running(self) -> LoopState:
        """
        Return a context manager for one call: it gives the running loop's session.

        Raises:
            StoreClosed: After `aclose`.
            Exception: What the making of a service raised.
        """
        if self._closed:
            raise closed(self._description.name)
        loop = asyncio.get_running_loop()
        state = self._states.get(loop)
        if state is not None and state.process == os.getpid():
            return state
        return self._open(loop)

    def refuse_closed(self) -> None:
        """
        Refuse an operation that is not about a loop.

        Raises:
            StoreClosed: After `aclose`.
        """
        if self._closed:
            raise closed(self._description.name)

    def _open(self, loop: asyncio.AbstractEventLoop) -> LoopState:
        calls = Calls(self._description.name)
        service = self._connect(calls)
        session = Session(service, self._description, self._retry, calls, self._sizes)
        guard = _guard(weakref.ref(self), loop, service, calls)
        _start(guard)
        state = LoopState(loop, session, guard)
        # Loops that were closed without ceremony cannot be cleaned up.
        for dead in [other for other in list(self._states) if other.is_closed()]:
            self.forget(dead)
        self._states[loop] = state
        if self._closed:  # by another thread, which may not know of this state
            self.forget(loop)
            calls.closed = True
            raise closed(self._description.name)
        return state

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop what a loop that shuts down has."""
        self._states.pop(loop, None)

    async def aclose(self) -> None:
        """
        Close all services, in whatever loop they are; idempotent and for good.

        Waits up to five seconds for running calls; later they get `StoreClosed`.
        """
        self._closed = True
        states = list(self._states.values())
        await asyncio.gather(*(self._shut(state) for state in states))

    async def _shut(self, state: LoopState) -> None:
        if state.loop is asyncio.get_running_loop():
            await state.shut(_GRACE)
        elif state.loop.is_running() and state.process == os.getpid():  # in a fork nothing runs it
            distant = asyncio.run_coroutine_threadsafe(state.shut(_GRACE), state.loop)
            with contextlib.suppress(TimeoutError):
                limit = _GRACE + _TIDYING + _PATIENCE
                await asyncio.wait_for(asyncio.wrap_future(distant), limit)
        self.forget(state.loop)


async def _guard(
    loops: weakref.ref[Loops],
    loop: asyncio.AbstractEventLoop,
    service: ObjectService,
    calls: Calls,
) -> AsyncGenerator[None, None]:
    """
    Hold a loop's service; closed by hand, by the end of `asyncio.run`, or as garbage.

    It refers to no state, so that no cycle keeps garbage from the loop's care.
    """
    try:
        yield
    finally:
        calls.closed = True
        owner = loops()
        if owner is not None:
            owner.forget(loop)
        with contextlib.suppress(Exception):  # a service that fails must not keep others open
            await service.aclose()
        # The sockets themselves are closed by callbacks.
        await asyncio.sleep(0)


def _start(guard: AsyncGenerator[None, None]) -> None:
    """Run to the first yield, which makes the generator known to the running loop."""
    with contextlib.suppress(StopIteration):
        guard.asend(None).send(None)
