"""What is asked for instead of listed: some files of a folder that is not worth a listing."""

from __future__ import annotations

from remote_store import Capability, NotFound
from remote_store_transfer._failures import EXPECTED, reason_of, status_of
from remote_store_transfer._listing.records import files, seen_of
from remote_store_transfer._listing.side import Gathered, Side
from remote_store_transfer._tasks import task_group
from remote_store_transfer._values import Failure

__all__ = ["look_up"]

#: Questions at a time.
_ASKING = 16


async def look_up(source: Side, target: Side, paths: tuple[str, ...]) -> tuple[Gathered, Gathered]:
    """
    Ask both sides for some files.

    A file that cannot be looked at is a failure, and so is one that the
    source does not have: it was named.

    Args:
        source: Where the files are.
        target: Where they may be; a store that tells nothing of single files
            is taken to have none, and refuses when they are written.
        paths: Relative paths; ``""`` is the folder of a side itself, as a file.
    """
    ours, theirs = Gathered(files()), Gathered(files())
    asks = target.store.supports(Capability.METADATA)
    waiting = iter(paths)

    async def work() -> None:
        for path in waiting:
            try:
                found = await source.store.get_file_info(source.at(path))
            except EXPECTED as error:
                ours.failures.append(_failure(path, error))
                continue
            if asks:
                try:
                    there = await target.store.get_file_info(target.at(path))
                except NotFound:
                    pass
                except EXPECTED as error:
                    theirs.failures.append(_failure(path, error))
                    continue
                else:
                    theirs.files.add(seen_of(path, there))
            ours.files.add(seen_of(path, found))

    async with task_group() as group:
        for _ in range(_ASKING):
            group.create_task(work())
    return ours, theirs


def _failure(path: str, error: Exception) -> Failure:
    name = type(error).__name__
    return Failure(path, "compare", reason_of(error), name, status_of(error))
