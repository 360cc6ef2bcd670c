"""A vendor's probe, watched: what goes wrong with it is no fault of the backend."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any, cast

from remote_store_conformance.targets.target import Probe

__all__ = ["ProbeFailed", "watched"]


class ProbeFailed(Exception):
    """Raised when a probe raises or does not answer in time; the backend is not at fault."""


class _Watched:
    """
    Delegates to a probe, and measures it.

    Args:
        probe: The probe.
        limit: Seconds that one call may take.
    """

    def __init__(self, probe: Probe, limit: float) -> None:
        self._probe = probe
        self._limit = limit
        #: Seconds that its calls have taken, the one that is running included.
        self._spent = 0.0
        self._since: float | None = None
        #: What went wrong with it first.
        self.failed = ""

    @property
    def spent(self) -> float:
        running = 0.0 if self._since is None else time.monotonic() - self._since
        return self._spent + running

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._probe, name)
        if not inspect.iscoroutinefunction(value):
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._since = time.monotonic()
            try:
                async with asyncio.timeout(self._limit):
                    return await value(*args, **kwargs)
            except Exception as error:
                said = f"{type(error).__name__}: {error}".removesuffix(": ")
                took = self.spent - self._spent
                msg = f"the target's probe failed: {name} raised {said} after {took:.1f} s"
                self.failed = self.failed or msg
                raise ProbeFailed(msg) from error
            finally:
                self._spent, self._since = self.spent, None

        return call


def watched(probe: Probe | None, limit: float) -> Probe | None:
    """Return a probe whose own faults raise `ProbeFailed`, and which has ``spent``."""
    return None if probe is None else cast("Probe", _Watched(probe, limit))
