"""How to change an object in one step, also where a signal handler interrupts it."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from itertools import starmap
from operator import call
from typing import Any, Final, TypeAlias, TypeVar

from remote_store import RemoteStoreError

__all__ = ["NOTHING", "AtomicChanges", "Plan"]

T = TypeVar("T")

#: The steps of a change, each a function in C and its arguments. It runs no
#: Python code and allocates nothing that the garbage collector knows.
Plan: TypeAlias = list[Any]
#: The step of a change that finds nothing to do.
NOTHING: Final = (int,)


class AtomicChanges:
    """
    An object whose every change is one step, for threads, signal handlers and finalisers.

    A lock keeps other threads out. It cannot keep out a signal handler or a
    finaliser of the thread that holds it: these run between any two
    instructions of Python, and may look at the same object, or change it. So a
    change is planned first, which alters nothing, and then made by one call
    into C, which nothing interrupts. A use that interrupts the planning empties
    the plan, and the change is planned anew.

    The same makes a change whole when an exception, such as that of Ctrl-C,
    ends it anywhere; and a forked child has a whole object and a new lock.
    """

    def __init__(self) -> None:
        self._plan: Plan = []
        self.renew_lock()
        _instances.add(self)

    def renew_lock(self) -> None:
        """Forget a lock that a thread may hold which does not exist in this process."""
        self._lock = threading.RLock()

    def _make(self, plan_change: Callable[..., T], *arguments: Any) -> T:
        """
        Make one change.

        Args:
            plan_change: Called with an empty plan and *arguments*. It looks, refuses,
                and adds the steps to the plan, `NOTHING` where there are none;
                it alters nothing. Called again if another use interrupted it.
            arguments: Passed on.

        Returns:
            What *plan_change* returned.
        """
        with self._lock:
            while True:
                self._plan.clear()
                plan = self._plan = []
                try:
                    planned = plan_change(plan, *arguments)
                    # What the steps return is given back without the lock: it
                    # may be large, and hold objects of the caller's. A deque has
                    # room for 32 from the start, a list only for 8.
                    if self._plan is plan and (_dropped := deque(starmap(call, plan))):
                        return planned
                except RemoteStoreError:
                    # A refusal that is true: no other use came between.
                    if self._plan is plan:
                        raise
                finally:
                    plan.clear()


_instances: Final[weakref.WeakSet[AtomicChanges]] = weakref.WeakSet()


def _renew_locks() -> None:
    for changes in _instances:
        changes.renew_lock()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_renew_locks)
