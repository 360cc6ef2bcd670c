"""One action carried out, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from remote_store import AlreadyExists, NotFound
from remote_store_transfer._copying.arrival import Answer, Arrival
from remote_store_transfer._copying.changed import SourceChanged, TargetChanged
from remote_store_transfer._copying.copy import Copier
from remote_store_transfer._copying.gate import ByteGate
from remote_store_transfer._copying.retry import copy_with_retries
from remote_store_transfer._copying.tally import Outcome
from remote_store_transfer._failures import EXPECTED, reason_of, status_of
from remote_store_transfer._values import Action, Failure

__all__ = ["Performer"]

#: What a file counts for at most: no more of it is in memory, however large it is.
_STREAMED: Final = 8 << 20

_OTHER_SOURCE: Final = (
    "the source that this worker sees is not the planned one, or has changed since the plan"
)


class Performer:
    """
    Carries out actions, any number at a time.

    Args:
        copier: Copies and deletes.
        max_bytes_in_flight: Bytes of files in flight; a large one counts for 8 MiB.
        retries: How often a file is tried again.
        again: An action may have been carried out before, by somebody who
            could not tell: a target that is the copy already is no conflict.
    """

    def __init__(
        self, copier: Copier, max_bytes_in_flight: int, retries: int, *, again: bool
    ) -> None:
        self._copier = copier
        self._gate = ByteGate(max_bytes_in_flight)
        self._retries = retries
        self._again = again

    def goes_with_others(self, action: Action) -> bool:
        """Return True if an action may be carried out together with others, by `copy_many`."""
        return self._copier.goes_with_others(action)

    async def copy_many(self, actions: Sequence[Action]) -> list[Outcome | Answer] | None:
        """
        Copy files together.

        Returns:
            What became of each, or what `perform` needs to know to go on with it. None if
            that cannot be: nothing was done.
        """
        size = min(sum(action.size for action in actions), _STREAMED)
        await self._gate.enter(size)
        try:
            found = await self._copier.copy_many(actions)
        finally:
            self._gate.leave(size)
        if found is None:
            return None
        return [one if isinstance(one, Answer) else Outcome(None, one.size) for one in found]

    async def perform(
        self, action: Action, advance: Callable[[int], None], answer: Answer | None = None
    ) -> Outcome:
        """
        Carry out an action that moves or deletes; what stores raise is its failure.

        Args:
            action: The action.
            advance: Answer how many more bytes were read; fewer than 0 take some back.
            answer: What `copy_many` has found out about it.
        """
        size = min(action.size, _STREAMED)
        retried = 0

        def repeat(count: int) -> None:
            nonlocal retried
            retried += 1
            advance(-count)

        await self._gate.enter(size)
        try:
            if action.kind == "delete":
                assert action.target is not None
                await self._copier.target.delete(action.path, action.target)
                return Outcome()
            try:
                arrival = await self._copy(action, advance, repeat, answer)
            except (AlreadyExists, SourceChanged, TargetChanged) as error:
                arrived = await self._arrived(action) if self._again else None
                if arrived is None:
                    raise
                arrival = arrived
                retried -= not isinstance(error, AlreadyExists)  # which was counted as one in vain
        except EXPECTED as error:
            return Outcome(self._failure(action, error), retried=retried)
        finally:
            self._gate.leave(size)
        return Outcome(
            None, arrival.size, retried, arrival.metadata_left_out, arrival.time_left_out
        )

    async def delete_many(self, actions: Sequence[Action]) -> list[Outcome] | None:
        """Carry out deletions together; None if that cannot be, and nothing was done."""
        seen = {a.path: a.target for a in actions if a.target is not None}
        found = await self._copier.target.delete_many(seen)
        if found is None:
            return None
        ended = []
        for action in actions:
            error = found[action.path]
            ended.append(Outcome(None if error is None else self._failure(action, error)))
        return ended

    async def _copy(
        self,
        action: Action,
        advance: Callable[[int], None],
        again: Callable[[int], None],
        answer: Answer | None,
    ) -> Arrival:
        assert action.source is not None
        return await copy_with_retries(
            self._copier,
            action.path,
            action.source,
            action.target if action.kind == "replace" else None,
            self._retries,
            advance,
            again,
            answer,
        )

    async def _arrived(self, action: Action) -> Arrival | None:
        assert action.source is not None
        return await self._copier.left_before(action.path, action.source)

    def _failure(self, action: Action, error: Exception) -> Failure:
        kind, reason, name = action.kind, reason_of(error), type(error).__name__
        gone = isinstance(error, NotFound) and kind != "delete"
        if isinstance(error, (SourceChanged, TargetChanged)):
            name = "PreconditionFailed"  # theirs are not public
        if isinstance(error, TargetChanged):
            kind = "conflict"
        elif isinstance(error, AlreadyExists):
            kind = "conflict"
            if not error.outcome_unknown:  # else it may be our own, and the error says so
                reason = "somebody else has written it since the plan was made"
        elif self._copier.exact and (gone or isinstance(error, SourceChanged)):
            reason = f"{_OTHER_SOURCE}: {reason}"
        return Failure(action.path, kind, reason, name, status_of(error))
