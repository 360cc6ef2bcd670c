"""The command `mv`: copy what differs, look at it, and only then remove the source."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from remote_store import (
    UNKNOWN_TIME,
    AlreadyExists,
    Capability,
    DirectoryNotEmpty,
    FileInfo,
    InvalidPath,
    NotFound,
    PreconditionFailed,
    RemoteStoreError,
)
from remote_store_cli._commands import command
from remote_store_cli._console import remark
from remote_store_cli._opening import OpenedPath, Opener, is_within
from remote_store_cli._options import (
    Compare,
    Into,
    Links,
    Moving,
    Recursive,
    Said,
    Sources,
    Target,
)
from remote_store_cli._outcome import EXPECTED, InvalidCommand, reason_of, run
from remote_store_cli._parallel import in_parallel
from remote_store_cli._parameters import flag
from remote_store_cli._planning import Way, jobs_for
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import Which
from remote_store_cli._settings import Stores
from remote_store_cli._transfer import Job, Manner, Outcome, finish, prepare, show
from remote_store_transfer.aio import (
    Action,
    Failure,
    TransferReport,
    Version,
    copy_between,
    execute,
)

__all__ = ["mv"]


@command
def mv(
    src: Sources,
    dst: Target,
    *,
    recursive: Recursive = False,
    into: Into = False,
    overwrite: Annotated[bool, flag("--overwrite", help="Replace files that exist.")] = False,
    checksum: Annotated[
        bool,
        flag("--checksum", help="Read both contents again before a source is removed."),
    ] = False,
    which: Which,
    moving: Moving,
    said: Said,
    stores: Stores,
) -> None:
    """
    Move files, or what is below folders: by the store's own move, or by copy, check and delete.

    Between two stores all is copied first. A source is removed once its copy
    is there and the source is what it was.
    """
    manner = Manner(
        said,
        moving,
        doing="moving",
        done="moved",
        words={"copy": "move", "skip": "move" if overwrite else "conflict"},
    )

    async def work() -> int | None:
        if moving.links is Links.follow:
            msg = (
                "mv enters no links to folders, since it would remove what they lead to; "
                "cp -r --links follow copies it"
            )
            raise InvalidCommand(msg)
        selection = which.selection()
        way = Way(
            recursive=recursive,
            into=into,
            overwrite=overwrite,
            # What is to be replaced is left alone if its content is the same.
            compare=Compare.content if overwrite else Compare.size,
            selection=selection,
            links=moving.links,
            verb="moves",
        )
        outcome = Outcome()
        async with Opener([*src, dst], stores) as opener:
            jobs = await jobs_for(opener, way, outcome)
            move = _Move(manner, outcome, overwrite=overwrite, checksum=checksum)
            return await move.all(jobs, clear=selection.is_everything)

    run(work)


class _Move:
    """The moves of one command."""

    def __init__(
        self, manner: Manner, outcome: Outcome, *, overwrite: bool, checksum: bool
    ) -> None:
        self._manner = manner
        self._said = manner.said
        self._outcome = outcome
        self._overwrite = overwrite
        self._checksum = checksum
        self._moved = self._bytes = self._metadata_left_out = 0

    async def all(self, jobs: list[Job], *, clear: bool) -> int | None:
        """Move everything, or show it; return the exit code."""
        meter = Meter()
        with contextlib.ExitStack() as stack:
            for job in jobs:
                stack.callback(job.plan.close)
                if self._overwrite and not _inside(job):
                    _refuse_doubt(job)
            async with showing(meter, quiet=self._said.quiet):
                ready = await prepare(jobs, self._outcome, self._manner.hint)
                if not self._said.dry_run:
                    await self._move(ready, meter)
                    if clear and self._outcome.is_clean:
                        for job in ready:
                            if job.is_folder:
                                await self._remove_empty(job.source)
            if self._said.dry_run:
                await show(ready, self._manner)
                return self._outcome.code
        self._outcome.reports.append(
            TransferReport(
                copied=self._moved,
                size=self._bytes,
                metadata_left_out=self._metadata_left_out,
            )
        )
        return finish(self._outcome, self._manner)

    async def _remove_empty(self, folder: OpenedPath) -> None:
        try:
            await _remove_empty(folder)
        except EXPECTED as error:
            self._outcome.fail(folder, "delete", error)

    async def _move(self, jobs: list[Job], meter: Meter) -> None:
        totals = [job.plan.totals for job in jobs]
        files = sum(t.copy + t.replace + t.skip for t in totals)
        meter.begin(self._manner.doing, files, sum(t.size for t in totals))
        before = 0
        for job in jobs:
            kept: set[str] = set()
            if not _inside(job):
                await self._copy(job, kept, meter, before)
            before += job.plan.totals.size

            await self._move_files(job, kept, meter)

    async def _move_files(self, job: Job, kept: set[str], meter: Meter) -> None:
        """Move all files of a job, or remove what was copied, but for what is to be kept."""
        is_link = _link_test(job)

        async def one(action: Action) -> None:
            if action.path in kept:
                return
            try:
                await self._one(job, action, is_link=is_link(action.path))
            except EXPECTED as error:
                self._outcome.fail(job.source.text(action.path), "move", error)
            else:
                self._moved += 1
                self._bytes += action.source.size if action.source else 0
                if self._said.verbose:
                    source, target = (s.text(action.path) for s in (job.source, job.target))
                    remark(f"moved  {source} -> {target}")
            meter.files_done += 1

        async def link(action: Action) -> None:
            if is_link(action.path):
                await one(action)
                kept.add(action.path)

        # Links come first: what they lead to is still there.
        await in_parallel(aiter(job.plan), self._manner.moving.jobs, link)
        await in_parallel(aiter(job.plan), self._manner.moving.jobs, one)

    async def _copy(self, job: Job, kept: set[str], meter: Meter, before: int) -> None:
        """Copy what has to be copied, and note whose sources have to stay."""

        def ended(action: Action, failure: Failure | None) -> None:
            if failure is not None:
                kept.add(action.path)
                self._outcome.note(job, failure, self._manner.hint)

        await execute(
            job.plan,
            concurrency=self._manner.moving.jobs,
            progress=lambda now: meter.moved(before + now.bytes_done),
            ended=ended,
            metadata=not self._manner.moving.no_metadata,
        )

    async def _one(self, job: Job, action: Action, *, is_link: bool) -> None:
        """Move a file, or remove the source of one that was copied; a link becomes a copy."""
        store, source = job.source.store, job.source.at(action.path).key
        target = job.target.at(action.path)
        if action.kind == "conflict" or (action.kind == "skip" and not self._overwrite):
            msg = f"{target.text()} exists; {self._manner.hint}"
            raise AlreadyExists(msg, path=target.key)
        if _inside(job):
            try:
                if not is_link:
                    await store.move(source, target.key, overwrite=self._overwrite)
                    return
            except RemoteStoreError as error:
                if not _crosses_file_systems(error):
                    raise
            await copy_between(store, source, store, target.key, overwrite=self._overwrite)
        assert action.source is not None
        now = await self._verify(job, action.path, action.source)
        matches = store.supports(Capability.CONDITIONAL_WRITE)
        try:
            await store.delete(source, if_match=now.etag if matches else None)
        except PreconditionFailed as error:
            raise _changed(source) from error
        except EXPECTED as error:
            msg = (
                f"its copy is {target.text()}, but it cannot be removed: {reason_of(error)}; "
                "remove it, or move it again with --overwrite"
            )
            status = getattr(error, "status", None)
            raise RemoteStoreError(msg, path=source, status=status) from error
        keeps = target.store.supports(Capability.USER_METADATA)
        taken = not self._manner.moving.no_metadata
        self._metadata_left_out += bool(taken and not keeps and now.metadata)

    async def _verify(self, job: Job, path: str, seen: Version) -> FileInfo:
        """
        Look at both sides of a copy; return what the source is.

        Raises:
            PreconditionFailed: The source changed, or the copy is not equal.
        """
        source, target = job.source.at(path), job.target.at(path)
        now = await source.store.get_file_info(source.key)
        if not _is(seen, now):
            raise _changed(source.key)
        fault = None
        if target.store.supports(Capability.METADATA):
            there = await target.store.get_file_info(target.key)
            if there.size != now.size:
                fault = "size"
            elif now.digest and there.digest and now.digest.algorithm == there.digest.algorithm:
                fault = None if now.digest == there.digest else "digest"
        if fault is None and self._checksum and await _sha256(source) != await _sha256(target):
            fault = "content"
        if fault is not None:
            msg = f"{target.text()} is not what it is ({fault}): it is kept; look at both"
            raise PreconditionFailed(msg, path=source.key)
        return now


def _changed(path: str) -> PreconditionFailed:
    msg = "it changed while it was moved: it is copied, and kept; move it again"
    return PreconditionFailed(msg, path=path)


def _link_test(job: Job) -> Callable[[str], bool]:
    """Return what tells whether a path met in a folder is a link of this machine."""
    store = job.source.store
    try:
        store.unwrap(Path)
    except RemoteStoreError:
        return lambda path: False
    return lambda path: os.path.islink(store.native_path(job.source.at(path).key))


def _inside(job: Job) -> bool:
    store = job.source.store
    return store is job.target.store and store.supports(Capability.MOVE)


def _refuse_doubt(job: Job) -> None:
    # What a write created exclusively cannot be the source; what it replaced could.
    if is_within(job.target, job.source) is not False:
        msg = (
            f"it cannot be told whether {job.target.text()} is {job.source.text()} itself; "
            "copy it, then remove the source"
        )
        raise PreconditionFailed(msg)


def _crosses_file_systems(error: RemoteStoreError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EXDEV


def _is(seen: Version, info: FileInfo) -> bool:
    if seen.etag is not None and info.etag is not None:
        return seen.etag == info.etag
    time = None if info.modified_at == UNKNOWN_TIME else info.modified_at
    return (seen.size, seen.modified_at) == (info.size, time)


async def _sha256(opened: OpenedPath) -> bytes:
    digest = hashlib.sha256()
    async with contextlib.aclosing(opened.store.read(opened.key)) as chunks:
        async for chunk in chunks:
            digest.update(chunk)
    return digest.digest()


async def _remove_empty(opened: OpenedPath) -> None:
    """Remove the folders that a move has emptied; what is not empty stays."""
    folders = [opened.key] if opened.key else []
    waiting = [opened.key]
    while waiting:
        async with contextlib.aclosing(opened.store.list_folders(waiting.pop())) as found:
            async for entry in found:
                if not entry.is_link:  # what it leads to is not what was moved
                    folders.append(entry.path.as_posix())
                    waiting.append(folders[-1])
    for folder in reversed(folders):
        with contextlib.suppress(DirectoryNotEmpty, NotFound, InvalidPath):
            await opened.store.delete_folder(folder, recursive=False)
