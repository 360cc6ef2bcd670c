"""How often the copy of a file is tried again, and when that would be wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from remote_store import BackendUnavailable, PreconditionFailed, StoreClosed
from remote_store_transfer._copying.arrival import Answer, Arrival
from remote_store_transfer._copying.changed import SourceChanged, TargetChanged
from remote_store_transfer._copying.copy import Copier
from remote_store_transfer._values import Version

__all__ = ["copy_with_retries"]

#: Seconds before the first repetition; each further one waits twice as long.
_PAUSE: Final = 0.05


async def copy_with_retries(
    copier: Copier,
    path: str,
    planned: Version,
    replacing: Version | None,
    retries: int,
    advance: Callable[[int], None],
    again: Callable[[int], None],
    answer: Answer | None = None,
) -> Arrival:
    """
    Copy a file, again if its source changed meanwhile or a store did not answer.

    Args:
        copier: Copies.
        path: Relative path.
        planned: The source's version that was seen.
        replacing: The target's version that may be replaced.
        retries: How often to try again.
        advance: Answer how many more bytes were read.
        again: Answer before a repetition, and at the last failure, how many
            bytes of an attempt were read for nothing.
        answer: What came of the first attempt, if it was made already.

    Raises:
        TargetChanged, AlreadyExists: The target is somebody else's; at once.
        SourceChanged: At once where only the planned version may be copied, and where
            something has arrived that cannot be told from what others write.
        RemoteStoreError: As the last attempt raised it; of those that got no answer as
            the one that got farthest, which says what is kept of it.
    """
    left: Version | None = None

    def arrives(version: Version) -> None:
        nonlocal left
        left = version

    try:
        return await _attempts(
            copier, path, planned, replacing, retries, advance, again, answer, arrives
        )
    except BaseException:
        if left is not None:
            await copier.take_back(path, left)
        raise


async def _attempts(
    copier: Copier,
    path: str,
    planned: Version,
    replacing: Version | None,
    retries: int,
    advance: Callable[[int], None],
    again: Callable[[int], None],
    answer: Answer | None,
    arrives: Callable[[Version], None],
) -> Arrival:
    seen = planned
    farthest, reached = None, 0
    for attempt in range(retries + 1):
        done = 0

        def count(size: int) -> None:
            nonlocal done
            done += size
            advance(size)

        try:
            return await copier.copy(path, seen, replacing, count, None if attempt else answer)
        except (PreconditionFailed, BackendUnavailable) as error:
            again(done)
            arrived = error.arrived if isinstance(error, SourceChanged) else None
            if arrived is not None:
                arrives(arrived)
            if isinstance(error, BackendUnavailable) and not error.outcome_unknown:
                if farthest is None or done > reached:
                    farthest, reached = error, done
                if attempt == retries and not isinstance(error, StoreClosed):
                    raise farthest from farthest.__cause__
            if attempt == retries or isinstance(error, (TargetChanged, StoreClosed)):
                raise
            if isinstance(error, SourceChanged) and copier.exact:
                raise
            # A write that may have succeeded would meet its own file.
            if error.outcome_unknown and arrived is None:
                raise
            await asyncio.sleep(_PAUSE * 2**attempt)
            if isinstance(error, PreconditionFailed) and not copier.exact:
                seen = await copier.look(path, planned)
            replacing = arrived or replacing
    raise AssertionError
