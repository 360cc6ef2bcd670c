"""Knobs that break a request on purpose, before or after it took effect."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["ArmedFault", "FaultKind", "Faults"]

FaultKind = Literal["drop_before", "drop_after", "busy", "stall"]


@dataclass(slots=True)
class ArmedFault:
    """One armed knob; *skip* matching requests pass, then *times* are hit."""

    kind: FaultKind
    method: str | None
    query: str | None
    path: str | None
    skip: int
    times: int
    seconds: float

    def matches(self, method: str, target: str) -> bool:
        """Return True if it is meant for a request with this raw target."""
        path, _, query = target.partition("?")
        return (
            (self.method is None or self.method == method)
            and (self.query is None or self.query in query)
            and (self.path is None or self.path in path)
        )


class Faults:
    """The armed knobs of one emulator; may be armed from any thread."""

    def __init__(self) -> None:
        self._armed: list[ArmedFault] = []
        self._lock = threading.Lock()

    def arm(self, fault: ArmedFault) -> None:
        """
        Arm one more knob.

        Raises:
            ValueError: For an unknown kind, or numbers that could never hit.
        """
        if fault.kind not in get_args(FaultKind):
            msg = f"no such fault: {fault.kind!r}, it is one of {get_args(FaultKind)}"
            raise ValueError(msg)
        if fault.skip < 0 or fault.times < 1 or fault.seconds < 0:
            msg = "nth and times start at 1, seconds at 0"
            raise ValueError(msg)
        with self._lock:
            self._armed.append(fault)

    def take(self, method: str, target: str) -> ArmedFault | None:
        """Return the fault that hits this request; every matching knob counts it."""
        hit: ArmedFault | None = None
        with self._lock:
            for fault in self._armed:
                if not fault.matches(method, target):
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif fault.times and hit is None:
                    fault.times -= 1
                    hit = fault
            self._armed = [fault for fault in self._armed if fault.times]
        return hit

    @property
    def armed(self) -> bool:
        """Whether any knob has yet to hit."""
        return bool(self._armed)

    def clear(self) -> None:
        """Disarm all knobs."""
        with self._lock:
            self._armed.clear()
