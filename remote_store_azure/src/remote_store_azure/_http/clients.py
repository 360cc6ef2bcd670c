"""Clients of the SDK, one for each event loop, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import weakref
from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from remote_store import CapabilityNotSupported, RetryPolicy
from remote_store.authoring import closed
from remote_store_azure._connect.account import Account
from remote_store_azure._connect.credentials import opened, refuse_pickling
from remote_store_azure._connect.options import tuning_of
from remote_store_azure._http.session import Session
from remote_store_objects.authoring import Calls

__all__ = ["Clients", "LoopState"]

T = TypeVar("T")

#: Seconds that a close waits for running calls.
GRACE: Final = 5.0
#: Seconds beyond it for the removal of what calls that do not end would leave behind.
_TIDYING: Final = 2.0
#: Seconds beyond both for the loop of another thread to close its client.
_PATIENCE: Final = 2.0


class LoopState:
    """
    What one event loop has: a session, and the guard that closes the client with the loop.

    A context manager that counts a call; see `Clients.running`.
    """

    __slots__ = ("calls", "file_system", "guard", "loop", "process", "resources", "session")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: Session,
        calls: Calls,
        guard: AsyncGenerator[None, None],
        resources: list[Any],
    ) -> None:
        self.loop = loop
        self.process = os.getpid()
        self.session = session
        self.calls = calls
        self.guard = guard
        self.resources = resources
        self.file_system: Any = None

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
        """Wait for running calls, then end what still waits, tidy up and close the client."""
        await self.calls.wait(grace)
        await self.calls.end(_TIDYING)
        with contextlib.suppress(RuntimeError):  # the loop is closing it already
            await self.guard.aclose()


class Clients:
    """
    The clients of one backend. They share nothing between loops but their configuration.

    Building one sends nothing. Pickles as the configuration.

    Args:
        account: Where the container is, and the secret.
        retry: How patiently failures are met.
        client_options: For the SDK's clients.
        max_concurrency: Parallel requests of one upload or download.
        name: Of the backend, for errors.

    Raises:
        TypeError, ValueError: See `tuning_of`.
    """

    def __init__(
        self,
        account: Account,
        *,
        retry: RetryPolicy | None = None,
        client_options: Mapping[str, Any] | None = None,
        max_concurrency: int = 1,
        name: str = "async-azure",
    ) -> None:
        self.account = account
        self.name = name
        self.tuning = tuning_of(client_options or {}, retry)
        self._retry = retry
        self._options = dict(client_options or {})
        self._max_concurrency = max_concurrency
        #: Each step on it is one of the interpreter's: a lock might be held when a process forks.
        self._states: dict[asyncio.AbstractEventLoop, LoopState] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    def running(self) -> LoopState:
        """
        Return a context manager for one call: it gives the running loop's session.

        Raises:
            StoreClosed: After `aclose`.
            BackendUnavailable: The default credential cannot be had, or the
                SDK is not a version that works here.
            RuntimeError: The caller's transport serves another loop.
        """
        if self._closed:
            raise closed(self.name)
        loop = asyncio.get_running_loop()
        return self._states.get(loop) or self._open(loop)

    def refuse_closed(self) -> None:
        """
        Refuse an operation that is not about a loop.

        Raises:
            StoreClosed: After `aclose`.
        """
        if self._closed:
            raise closed(self.name)

    def _open(self, loop: asyncio.AbstractEventLoop) -> LoopState:
        from remote_store_azure._http import sdk  # half a second: not before it is needed

        credential = opened(self.account.kind, self.account.secret, self.name)
        # One for each pipeline: it holds its successor in the chain.
        retry = copy.copy(sdk.retry_of(self._retry, self._options))
        client = sdk.build_client(self.account, credential.value, self._options, retry)
        calls = Calls(self.name)
        session = Session(
            self.account,
            client,
            calls,
            retry=retry,
            options=self.tuning,
            max_concurrency=self._max_concurrency,
            backend=self.name,
        )
        resources = [credential, client]
        guard = _guard(weakref.ref(self), loop, resources, calls)
        _start(guard)
        state = LoopState(loop, session, calls, guard, resources)
        # Loops that were closed without ceremony cannot be cleaned up.
        for dead in [other for other in list(self._states) if other.is_closed()]:
            self.forget(dead)
        self._states[loop] = state
        if self._closed:  # by another thread, which may not know of this state
            self.forget(loop)
            calls.closed = True
            raise closed(self.name)
        return state

    def unwrap(self, type_hint: type[T]) -> T:
        """
        Return the SDK's own client of this container, if it is the one that is asked for.

        Raises:
            StoreClosed: After `aclose`.
            CapabilityNotSupported: Another type is asked for.
            RuntimeError: No event loop is running.
        """
        self.refuse_closed()
        if _names_a_file_system_client(type_hint):
            return cast("T", self.file_system_client())
        msg = (
            f"backend {self.name!r} does not expose {type_hint!r}; it does expose "
            "azure.storage.filedatalake.aio.FileSystemClient"
        )
        raise CapabilityNotSupported(msg, backend=self.name, capability="unwrap")

    def file_system_client(self) -> Any:
        """
        Return the SDK's FileSystemClient of this container for the running loop.

        The same one at each call; it is closed with the backend or the loop.

        Raises:
            StoreClosed: After `aclose`.
            RuntimeError: No event loop is running.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError as error:
            msg = (
                "a client of the SDK belongs to the event loop that runs, and none is running: "
                "call unwrap inside of a coroutine, in the loop that is to use it"
            )
            raise RuntimeError(msg) from error
        state = self.running()
        if state.file_system is None:
            from remote_store_azure._http import sdk

            credential, retry = state.resources[0].value, sdk.retry_of(self._retry, self._options)
            state.file_system = sdk.build_file_system_client(
                self.account, credential, self._options, copy.copy(retry)
            )
            state.resources.append(state.file_system)
        return state.file_system

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop what a loop that shuts down has."""
        self._states.pop(loop, None)

    async def aclose(self) -> None:
        """
        Close all clients, in whatever loop they are; idempotent and for good.

        Waits up to five seconds for running calls; later they get `StoreClosed`.
        """
        self._closed = True
        states = list(self._states.values())
        await asyncio.gather(*(self._shut(state) for state in states))

    async def _shut(self, state: LoopState) -> None:
        if state.loop is asyncio.get_running_loop():
            await state.shut(GRACE)
        elif state.loop.is_running() and state.process == os.getpid():  # in a fork nothing runs it
            distant = asyncio.run_coroutine_threadsafe(state.shut(GRACE), state.loop)
            with contextlib.suppress(TimeoutError):
                limit = GRACE + _TIDYING + _PATIENCE
                await asyncio.wait_for(asyncio.wrap_future(distant), limit)
        self.forget(state.loop)

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_pickling(self.account.kind, self.account.secret)
        for name in ("transport", "retry_policy"):
            if name in self._options and not isinstance(self._options[name], type):
                msg = f"a backend with client_options[{name!r}] cannot be pickled: pass a class"
                raise TypeError(msg)
        settings = (self.account, self._retry, self._options, self._max_concurrency, self.name)
        return _rebuilt, settings


def _names_a_file_system_client(type_hint: object) -> bool:
    # A program that asks for it has imported it; others need not.
    module = getattr(type_hint, "__module__", "")
    if not isinstance(module, str) or not module.startswith("azure.storage.filedatalake"):
        return False
    from azure.storage.filedatalake.aio import FileSystemClient

    return type_hint is FileSystemClient


def _rebuilt(
    account: Account,
    retry: RetryPolicy | None,
    client_options: dict[str, Any],
    max_concurrency: int,
    name: str,
) -> Clients:
    return Clients(
        account,
        retry=retry,
        client_options=client_options,
        max_concurrency=max_concurrency,
        name=name,
    )


async def _guard(
    clients: weakref.ref[Clients],
    loop: asyncio.AbstractEventLoop,
    resources: list[Any],
    calls: Calls,
) -> AsyncGenerator[None, None]:
    """
    Hold a loop's resources; closed by hand, by the end of `asyncio.run`, or as garbage.

    It refers to no state, so that no cycle keeps garbage from the loop's care.
    """
    try:
        yield
    finally:
        calls.closed = True
        owner = clients()
        if owner is not None:
            owner.forget(loop)
        for resource in reversed(resources):
            with contextlib.suppress(Exception):  # one that fails must not keep the others open
                await resource.close()
        # The sockets themselves are closed by callbacks.
        await asyncio.sleep(0)


def _start(guard: AsyncGenerator[None, None]) -> None:
    """Run to the first yield, which makes the generator known to the running loop."""
    with contextlib.suppress(StopIteration):
        guard.asend(None).send(None)
