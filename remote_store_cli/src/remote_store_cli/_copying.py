"""The commands `cp` and `sync`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from remote_store import AlreadyExists
from remote_store_cli._commands import command
from remote_store_cli._console import remark
from remote_store_cli._opening import Opener, kind_of
from remote_store_cli._options import (
    Checksum,
    Compare,
    CompareOption,
    Into,
    Moving,
    Recursive,
    Said,
    Sources,
    Target,
    checked,
)
from remote_store_cli._outcome import InvalidCommand, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._parameters import argument, flag
from remote_store_cli._planning import Way, folder_job, jobs_for, refuse_overlap
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import Which
from remote_store_cli._settings import Stores
from remote_store_cli._streams import from_stdin, to_stdout
from remote_store_cli._transfer import Manner, Outcome, run_jobs
from remote_store_cli._units import count, human_size

__all__ = ["cp", "sync"]


@command
def cp(
    src: Sources,
    dst: Target,
    *,
    recursive: Recursive = False,
    into: Into = False,
    overwrite: Annotated[bool, flag("--overwrite", help="Replace files that differ.")] = False,
    compare: CompareOption = Compare.time,
    checksum: Checksum = False,
    which: Which,
    moving: Moving,
    said: Said,
    stores: Stores,
) -> None:
    """
    Copy files, or what is below folders, between any two stores.

    The content of one folder SRC becomes content of folder DST; several
    sources are put into DST under their own names. Equal files are skipped,
    so that the same command resumes a copy that was interrupted. '-' is
    standard input as SRC, and standard output as DST.
    """
    manner = Manner(said, moving)

    async def work() -> int | None:
        if "-" in src:
            await _from_stdin(src, dst, stores, manner, overwrite=overwrite)
            return None
        if dst == "-":
            await _to_stdout(src, stores, said)
            return None
        way = Way(
            recursive=recursive,
            into=into,
            overwrite=overwrite,
            compare=checked(compare, content=checksum),
            selection=which.selection(),
            links=moving.links,
        )
        outcome = Outcome()
        async with Opener([*src, dst], stores) as opener:
            found = await jobs_for(opener, way, outcome)
            return await run_jobs(found, manner, outcome)

    run(work)


async def _from_stdin(
    src: Sequence[str], dst: str, stores: Stores, manner: Manner, *, overwrite: bool
) -> None:
    if len(src) > 1 or dst == "-":
        msg = "'-' as SRC is alone, and DST a file in a store; a file of that name is ./-"
        raise InvalidCommand(msg)
    said = manner.said
    async with Opener([dst], stores) as opener:
        target = await opener.open(opener.locations[0], create=True)
        if not target.key or target.location.folder or await target.store.is_folder(target.key):
            msg = f"{target.text()} is a folder: what comes from standard input needs a name"
            raise InvalidCommand(msg)
        if said.dry_run:
            there = await target.store.is_file(target.key)
            word = ("replace" if overwrite else "conflict") if there else "copy"
            _show_streams(word, [("-", target.text())], said)
            return
        try:
            meter = Meter()
            meter.begin(manner.doing, 0, 0)
            async with showing(meter, quiet=said.quiet):
                result = await target.store.write(
                    target.key, from_stdin(meter.more), overwrite=overwrite
                )
        except AlreadyExists as error:
            msg = f"{target.text()} exists; --overwrite replaces it"
            raise AlreadyExists(msg) from error
    if said.as_json:
        emit_json({"copied": 1, "size": result.size, "failures": []})
    elif not said.quiet:
        remark(f"copied 1 file ({human_size(result.size)})")


def _show_streams(word: str, pairs: list[tuple[str, str]], said: Said) -> None:
    """Show what would be done, where one of source and target is a stream of this process."""
    rows = [
        {
            "action": word,
            "source": source,
            "target": target,
            "size": None,
            "reason": "standard input" if source == "-" else "standard output",
        }
        for source, target in pairs
    ]
    if said.as_json:
        emit_json(rows)
        return
    for row in rows:
        place = row["target"] if row["source"] == "-" else row["source"]
        emit(f"{word:<8}  {'-':>10}  {place}  ({row['reason']})")
    if not said.quiet:
        remark(f"dry run: {count(len(rows), 'action')}; nothing was done")


async def _to_stdout(src: Sequence[str], stores: Stores, said: Said) -> None:
    if said.as_json and not said.dry_run:
        msg = "'-' as DST is standard output, where --json would be, too: give one of them"
        raise InvalidCommand(msg)
    async with Opener(src, stores) as opener:
        opened = [await opener.open(location) for location in opener.locations]
        if said.dry_run:
            _show_streams("copy", [(one.text(), "-") for one in opened], said)
            return
        for one in opened:
            await to_stdout(one)


@command
def sync(
    src: Annotated[str, argument("SRC", help="Folder to take.")],
    dst: Annotated[str, argument("DST", help="Folder to make like it.")],
    *,
    delete: Annotated[
        bool,
        flag("--delete", help="Delete files that only DST has; at the end, and if nothing failed."),
    ] = False,
    compare: CompareOption = Compare.time,
    checksum: Checksum = False,
    which: Which,
    moving: Moving,
    said: Said,
    stores: Stores,
) -> None:
    """
    Make folder DST like folder SRC: copy what is new, replace what differs.

    What the patterns leave out is left alone in DST, too.
    """

    async def work() -> int | None:
        way = Way(
            overwrite=True,
            compare=checked(compare, content=checksum),
            selection=which.selection(),
            links=moving.links,
        )
        outcome = Outcome()
        async with Opener([src, dst], stores) as opener:
            source = await opener.open(opener.locations[0])
            if await kind_of(source) == "file":
                msg = (
                    f"{source.text()} is a file, and sync is for folders; cp --overwrite copies it"
                )
                raise InvalidCommand(msg)
            target = await opener.open(opener.locations[1], create=True)
            if target.key and await target.store.is_file(target.key):
                msg = f"'{target.text()}' is a file, and '{source.text()}' a folder; name a folder"
                raise InvalidCommand(msg)
            refuse_overlap(source, target)
            job = folder_job(source, target, way, delete=delete)

            def review() -> None:
                totals = job.plan.totals
                if totals.delete == totals.files > 0 and not job.plan.failures:
                    msg = (
                        f"{source.text()} has no files, and --delete would remove all "
                        f"{totals.delete} of {target.text()}; "
                        "if that is wanted: remote-store rm -r"
                    )
                    raise InvalidCommand(msg)

            return await run_jobs([job], Manner(said, moving), outcome, review=review)

    run(work)
