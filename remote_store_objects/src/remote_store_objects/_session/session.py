"""A service in one event loop, asked with patience: attempts, waits, and what became of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar

from attrs import Attribute, field, frozen

from remote_store import BackendUnavailable, RemoteStoreError, RetryPolicy, StoreClosed
from remote_store_objects._protocol.description import Description
from remote_store_objects._protocol.service import ObjectService, ObjectStream
from remote_store_objects._session.in_flight import Calls, Waiting

__all__ = ["Session", "Sizes"]

P = ParamSpec("P")
T = TypeVar("T")


def _is_number(instance: object, attribute: Attribute[int], value: object) -> None:
    if value is None and attribute.default is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{attribute.name} must be an int, got {type(value).__name__}"
        raise TypeError(msg)
    if value < 1:
        msg = f"{attribute.name} must be at least 1, got {value}"
        raise ValueError(msg)


@frozen(kw_only=True)
class Sizes:
    """
    How content is cut.

    Args:
        single_put: Bytes up to which content is written in one request.
        part_size: Bytes of a part of an upload, until it grows.
        growth: Parts after which their size doubles.
        max_concurrency: Requests of one call that may run at once.
        range_size: Bytes of a range where several are read at once; None for
            *part_size*.
        first_range: Bytes of the first of these; None for *range_size*.

    Raises:
        TypeError: One is no int.
        ValueError: One is below 1.
    """

    single_put: int = field(validator=_is_number)
    part_size: int = field(validator=_is_number)
    growth: int = field(validator=_is_number)
    max_concurrency: int = field(validator=_is_number)
    range_size: int | None = field(default=None, validator=_is_number)
    first_range: int | None = field(default=None, validator=_is_number)

    @property
    def ranges(self) -> tuple[int, int]:
        """Bytes of the first range, and of each further one, where several are read at once."""
        size = self.range_size or self.part_size
        return self.first_range or size, size

    def within(self, limits: Description) -> Sizes:
        """Return what of it the service allows."""
        return Sizes(
            # Without parts there is nothing else to do with more.
            single_put=min(self.single_put, limits.max_put) if limits.uploads else limits.max_put,
            part_size=min(max(self.part_size, limits.min_part), limits.max_part),
            growth=self.growth,
            max_concurrency=self.max_concurrency,
            range_size=self.range_size,
            first_range=self.first_range,
        )


class Session:
    """
    What every operation asks.

    Args:
        service: Of the running loop.
        description: Of that service.
        retry: How patiently failures are met.
        calls: Those of the running loop.
        sizes: How content is cut.
    """

    __slots__ = ("calls", "description", "name", "retry", "service", "sizes")

    def __init__(
        self,
        service: ObjectService,
        description: Description,
        retry: RetryPolicy,
        calls: Calls,
        sizes: Sizes,
    ) -> None:
        self.service = service
        self.description = description
        self.name = description.name
        self.retry = retry
        self.calls = calls
        self.sizes = sizes

    async def ask(
        self,
        path: str,
        verb: Callable[P, Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """
        Call a verb that changes nothing, as often as the policy allows.

        Args:
            path: Key that errors name.
            verb: Of the service.
            args: For it.
            kwargs: For it.

        Raises:
            RemoteStoreError: What the last attempt raised.
        """
        return await self._repeat(path, False, lambda: verb(*args, **kwargs))

    async def change(
        self,
        path: str,
        verb: Callable[P, Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """
        Call a verb that changes something, as often as the policy allows.

        Args:
            path: Key that errors name.
            verb: Of the service.
            args: For it.
            kwargs: For it.

        Raises:
            RemoteStoreError: What the last attempt raised; ``outcome_unknown``
                if that attempt or one before it may have been carried out.
        """
        return await self._repeat(path, True, lambda: verb(*args, **kwargs))

    async def _repeat(
        self, path: str, changes: bool, call: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        # A service that repeats by itself sees to the time as well.
        deadline = None if self.description.repeats else self.deadline()
        failures = 0
        lost = False
        while True:
            try:
                with Waiting(self.calls, path, changes):
                    if deadline is None:
                        return await call()
                    async with asyncio.timeout_at(deadline):
                        return await call()
            except RemoteStoreError as error:
                refused = error
                refused.outcome_unknown = changes and (error.outcome_unknown or lost)
            except Exception as error:  # noqa: BLE001 - nothing native may leak
                refused = _own(error, changes=changes)
            self.name_error(refused, path)
            if isinstance(refused, StoreClosed) or not isinstance(refused, BackendUnavailable):
                raise refused
            if self.description.repeats:
                raise refused
            lost = lost or refused.outcome_unknown
            failures += 1
            await self.pause(failures, refused, deadline)

    def name_error(self, error: RemoteStoreError, path: str) -> None:
        """Fill in what an error of a service does not say: the key, and the backend."""
        error.backend = error.backend or self.name
        if error.path is None:
            error.path = path
            if isinstance(error, OSError):
                error.filename = path

    async def receive(self, stream: ObjectStream, path: str, deadline: float | None) -> bytes:
        """
        Return the next bytes of a stream, ``b""`` at its end; raises as one attempt of `ask`.

        Args:
            stream: From the service.
            path: Key that errors name.
            deadline: From `deadline`, when the operation began.
        """
        try:
            with Waiting(self.calls, path, False):
                if deadline is None:
                    return await stream.receive()
                async with asyncio.timeout_at(deadline):
                    return await stream.receive()
        except RemoteStoreError as error:
            refused = error
        except Exception as error:  # noqa: BLE001 - nothing native may leak
            refused = _own(error, changes=False)
        self.name_error(refused, path)
        raise refused

    def deadline(self) -> float | None:
        """Return when an operation that starts now has to be over, in the loop's time."""
        seconds = self.retry.timeout
        return None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def pause(self, failures: int, error: RemoteStoreError, deadline: float | None) -> None:
        """
        Wait before something is tried again.

        Args:
            failures: How many attempts failed since there was progress.
            error: Why the last one did.
            deadline: From `deadline`, when the operation began.

        Raises:
            RemoteStoreError: *error*, when attempts or time are used up.
        """
        policy = self.retry
        if failures >= policy.max_attempts or self.calls.closed:
            raise error
        wait = max(policy.backoff_base * 2.0 ** min(failures - 1, 60), error.retry_after or 0.0)
        wait = min(policy.backoff_max, wait)
        if policy.jitter:
            wait += random.uniform(0, policy.jitter)  # noqa: S311 - spreads load, no secret
        if deadline is not None and asyncio.get_running_loop().time() + wait >= deadline:
            raise error
        await asyncio.sleep(wait)


#: What a library of the network raises; another attempt may succeed.
_NETWORK: Final = (OSError, TimeoutError, EOFError)


def _own(error: Exception, *, changes: bool) -> RemoteStoreError:
    """Return our error for one that a service let through, which becomes the cause."""
    # Its text is not repeated: nobody knows what it has in it.
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    cls = BackendUnavailable if isinstance(error, _NETWORK) else RemoteStoreError
    msg = f"The request failed, its outcome cannot be told: {kind}"
    ours = cls(msg, outcome_unknown=changes)
    ours.__cause__ = error
    return ours
