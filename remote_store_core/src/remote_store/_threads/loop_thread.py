"""An event loop on a daemon thread, and calls into it that block."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic
from types import CoroutineType
from typing import Any, Final, TypeVar

from remote_store._types.errors import StoreClosed

__all__ = ["LoopClosed", "LoopThread"]

T = TypeVar("T")

#: Seconds that cancelled tasks get when the loop ends before they do.
_GRACE: Final = 1.0
#: Seconds that the interpreter's exit waits for one loop to end.
_EXIT: Final = 2.0

_running: weakref.WeakSet[LoopThread] = weakref.WeakSet()


class LoopClosed(StoreClosed, RuntimeError):
    """Raised when a call comes after its loop was closed, or is overtaken by the close."""


class LoopThread:
    """
    Runs coroutines on a loop of its own; safe from any number of threads.

    Calls queue up in a deque of our own, not in the loop's: whatever a
    stopped loop leaves there is answered with `LoopClosed`, so that no call
    is lost or waits for ever, however it races `stop`.

    When nobody refers to it any more, or the interpreter exits, the loop
    ends by itself: its tasks are cancelled and its async generators closed.

    Args:
        owner: Name of the class for messages and for the thread.
    """

    def __init__(self, owner: str) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._owner = owner
        self._pid = os.getpid()
        self._closed = False
        self._stopping = threading.Lock()
        self._inbox = _Inbox(self.loop)
        #: Tasks whose result nobody has asked for; the end of the loop does not wait for them.
        self.unasked: set[asyncio.Task[Any]] = set()
        self.thread: threading.Thread = threading.Thread(
            target=_run, args=(self.loop, self._inbox), name=f"{owner}-{id(self):x}", daemon=True
        )
        try:
            self.thread.start()
        except BaseException:  # the system gives no thread
            self.loop.close()
            raise
        weakref.finalize(self, _request_stop, self.loop, self._pid).atexit = False
        _running.add(self)

    @property
    def closed(self) -> bool:
        """Whether `stop` was called."""
        return self._closed

    def guard(self) -> None:
        """
        Refuse a call that could not be answered.

        Raises:
            LoopClosed: It is closed.
            RuntimeError: See `refuse_misuse`.
        """
        if self._closed:
            raise self._refusal()
        self.refuse_misuse()

    def refuse_misuse(self) -> None:
        """
        Refuse a call from where it could only wait for ever.

        Raises:
            RuntimeError: An event loop runs in this thread, or this process
                is a fork of the one that made it.
        """
        if os.getpid() != self._pid:
            msg = (
                f"{self._owner} was made before a fork: its loop and thread live in the parent "
                f"process {self._pid}; make a new one in the child"
            )
            raise RuntimeError(msg)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        msg = (
            f"{self._owner} cannot be called from a running event loop, which it would block; "
            "use AsyncStore there"
        )
        raise RuntimeError(msg)

    def call(self, function: Callable[..., Awaitable[T]], /, *args: Any, **options: Any) -> T:
        """
        Call *function* on the loop, wait for what it returns, and return that.

        Its exception is raised as the same object. An exception in the
        waiting thread (KeyboardInterrupt) cancels the call and waits for its
        end; a second one stops waiting.

        Raises:
            LoopClosed: See `guard`; also when `stop` overtakes the call, with
                ``outcome_unknown`` if the call had begun.
            RuntimeError: See `guard`.
        """
        self.guard()
        pending = _LoopCall(function, args, options)
        try:
            self._inbox.put(pending)
            pending.wait()
        except BaseException:
            with contextlib.suppress(RuntimeError):  # closed: the call is answered already
                self.loop.call_soon_threadsafe(pending.cancel)
                pending.wait()
            raise
        task = pending.task
        del pending  # a traceback shall not refer to itself
        try:
            if task is None or not task.done() or (self._closed and task.cancelled()):
                raise self._refusal(begun=task is not None)
            result: T = task.result()
            return result
        finally:
            del task

    def query(self, function: Callable[..., Awaitable[T]], /, *args: Any, **options: Any) -> T:
        """As `call`, of something that changes nothing: no outcome of it is unknown."""
        try:
            return self.call(function, *args, **options)
        except LoopClosed as error:
            error.outcome_unknown = False
            raise

    def post(self, function: Callable[..., Awaitable[object]], /, *args: Any) -> None:
        """Call *function* on the loop without waiting; a closed or forked one does nothing."""
        if not self._closed and os.getpid() == self._pid:
            self._inbox.put(_LoopCall(function, args, {}))

    def stop(
        self, last: Callable[[], Awaitable[object]], timeout: float | None, log: logging.Logger
    ) -> None:
        """
        Await *last* and all tasks, then end the loop and its thread.

        When the time is over, one warning lists the tasks that are left;
        they are cancelled. Only the first call does anything.

        Args:
            last: Called on the loop; its exception is logged.
            timeout: Seconds for all of it; None for as long as it takes.
            log: Where the warnings go.
        """
        if not self._stopping.acquire(blocking=False):
            return
        self._closed = True
        if os.getpid() != self._pid:
            return  # the loop is the parent's
        deadline = None if timeout is None else monotonic() + timeout
        drained = False
        try:
            if threading.current_thread() is not self.thread:
                drain = _LoopCall(_drain, (last, log, self.unasked), {})
                self._inbox.put(drain)
                drained = drain.wait(_left(deadline))
        finally:
            unfinished = [] if drained else _unfinished(self.loop)
            _request_stop(self.loop, self._pid)
        if threading.current_thread() is self.thread:
            return
        self.thread.join(_left(deadline))
        if not drained or self.thread.is_alive():
            log.warning(
                "%s close timed out after %s s; %d unfinished tasks: %s",
                self._owner,
                timeout,
                len(unfinished),
                ", ".join(unfinished),
            )

    def _refusal(self, *, begun: bool = False) -> LoopClosed:
        return LoopClosed(f"{self._owner} is closed", outcome_unknown=begun)


class _LoopCall:
    """One call: a task on the loop, and a thread that waits for it."""

    __slots__ = ("_args", "_context", "_done", "_function", "_options", "_withdrawn", "task")

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        options: dict[str, Any],
    ) -> None:
        self._function = function
        self._args = args
        self._options = options
        self._context = contextvars.copy_context()
        self._withdrawn = False
        # A bare lock: an Event costs several times as much.
        self._done = threading.Lock()
        self._done.acquire()
        self.task: asyncio.Task[Any] | None = None

    def wait(self, timeout: float | None = None) -> bool:
        """Return True when it is done, False when the time is over."""
        done = self._done.acquire(timeout=-1 if timeout is None else timeout)
        if done:
            self.release()  # for the next one that waits
        return done

    def release(self) -> None:
        """Let the waiting thread go on; more than once does no harm."""
        with contextlib.suppress(RuntimeError):
            self._done.release()

    # On the loop ------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop, done: Callable[[_LoopCall], object]) -> None:
        """Start the task; *done* is called at its end."""
        if self._withdrawn:
            done(self)
            return
        # The backend's own coroutine is the task: its name is what a warning shows.
        coroutine = self._context.run(self._coroutine)
        task = loop.create_task(coroutine, context=self._context)
        self.task = task

        def finish(_: asyncio.Task[Any]) -> None:
            if not task.cancelled():
                task.exception()  # seen, even if nobody waits for it any more
            done(self)

        task.add_done_callback(finish)

    def cancel(self) -> None:
        """Cancel the task, or keep it from starting."""
        self._withdrawn = True
        if self.task is None or self.task.done():
            self.release()
        else:
            self.task.cancel()

    def _coroutine(self) -> Coroutine[Any, Any, Any]:
        try:
            awaitable = self._function(*self._args, **self._options)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            return _raised(error)
        return awaitable if isinstance(awaitable, CoroutineType) else _awaited(awaitable)


async def _raised(error: BaseException) -> None:
    raise error


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class _Inbox:
    """Calls on their way to the loop, and those that it has not finished."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[_LoopCall] = deque()
        self._started: set[_LoopCall] = set()
        self._ended = False
        #: Leave waiting threads alone: they are daemons of a process that
        #: ends, and would only report an error that is none.
        self.exiting = False

    def put(self, call: _LoopCall) -> None:
        """Hand a call to the loop; one that comes too late is released at once."""
        self._waiting.append(call)
        with contextlib.suppress(RuntimeError):  # closed: it has ended, too
            self._loop.call_soon_threadsafe(self._take)
        # Looked at after the append: either this thread sees the end, or the
        # loop's thread, which looks for calls after it has set it, sees the call.
        if self._ended:
            self._refuse()

    def _take(self) -> None:
        while self._waiting and not self._ended:
            call = self._waiting.popleft()
            self._started.add(call)
            call.start(self._loop, self._done)

    def _done(self, call: _LoopCall) -> None:
        self._started.discard(call)
        if not self.exiting:
            call.release()

    def end(self) -> None:
        """Start no further call; release those that were not started."""
        self._ended = True
        self._refuse()

    def give_up(self) -> None:
        """Release the calls that were started and will not be finished."""
        while self._started:
            self._done(next(iter(self._started)))

    def _refuse(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._waiting.popleft().release()


def _run(loop: asyncio.AbstractEventLoop, inbox: _Inbox) -> None:
    asyncio.set_event_loop(loop)
    try:
        while True:
            try:
                loop.run_forever()
                break
            except (KeyboardInterrupt, SystemExit):
                # Raised by a task, whose caller gets it; the loop serves others.
                continue
        inbox.end()
        _cancel_rest(loop)
    finally:
        inbox.end()
        inbox.give_up()
        loop.close()


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_GRACE))
    with contextlib.suppress(TimeoutError):
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_asyncgens(), _GRACE))


async def _drain(
    last: Callable[[], Awaitable[object]], log: logging.Logger, unasked: set[asyncio.Task[Any]]
) -> None:
    for task in tuple(unasked):
        task.cancel()
    try:
        await last()
    except Exception:
        log.warning("closing the backend failed", exc_info=True)
    this = asyncio.current_task()
    while others := asyncio.all_tasks() - {this}:
        await asyncio.wait(others)


def _unfinished(loop: asyncio.AbstractEventLoop) -> list[str]:
    # Their text is of this moment: soon they will be cancelled.
    return [repr(task) for task in asyncio.all_tasks(loop) if not task.done()]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())


def _request_stop(loop: asyncio.AbstractEventLoop, pid: int) -> None:
    if os.getpid() == pid:
        with contextlib.suppress(RuntimeError):  # closed already
            loop.call_soon_threadsafe(loop.stop)


@atexit.register
def _stop_all() -> None:
    """End the loops that were not closed, so that the exit is quiet."""
    left = [runner for runner in _running if runner.thread.is_alive()]
    for runner in left:
        runner._closed = runner._inbox.exiting = True  # noqa: SLF001 - of this module
        _request_stop(runner.loop, runner._pid)  # noqa: SLF001
    for runner in left:
        runner.thread.join(_EXIT)
