"""What failed of a command that went on, and the exit code that this makes."""

from __future__ import annotations

from typing import Any

from attrs import Factory, define

from remote_store_cli._codes import FAILED
from remote_store_cli._console import complain, redacted, was_refused
from remote_store_cli._opening import OpenedPath
from remote_store_cli._outcome import about, advised, facts_of, failures, reason_of

__all__ = ["Failures"]


@define
class Failures:
    """The failures of a command."""

    #: As JSON shows them.
    failures: list[dict[str, Any]] = Factory(list)

    def fail(self, where: OpenedPath | str, kind: str, error: Exception) -> None:
        """
        Note and print an error, and all that failed with it.

        Args:
            where: What it concerns, or what an error that names a path is about.
            kind: What failed, such as ``"delete"``.
            error: The error.
        """
        for failure in failures(error):
            facts = facts_of(failure)
            text = where if isinstance(where, str) else where.text_of(facts["path"])
            reason = reason_of(failure)
            self.add(text, kind, reason, facts["status"])
            if not was_refused(text, facts["status"]):
                complain(advised(about(text, reason), **facts), **{**facts, "location": text})

    def add(self, where: str, kind: str, reason: str, status: int | None) -> None:
        """Note a failure that is told otherwise."""
        reason = redacted(reason)
        self.failures.append({"location": where, "kind": kind, "reason": reason, "status": status})

    @property
    def code(self) -> int | None:
        """The exit code."""
        return FAILED if self.failures else None
