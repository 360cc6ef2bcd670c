"""The commands `cp` and `sync`."""

from __future__ import annotations

from typing import Annotated

import typer

from remote_store import AlreadyExists
from remote_store_cli._console import human_size, remark
from remote_store_cli._help import flag
from remote_store_cli._opening import Opener, kind_of
from remote_store_cli._options import (
    CompareOption,
    DryRun,
    Into,
    Jobs,
    LinksOption,
    NoMetadata,
    Quiet,
    Recursive,
    Sources,
    Target,
    Verbose,
    checked,
)
from remote_store_cli._outcome import InvalidCommand, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._planning import Compare, Links, Way, folder_job, jobs_for, refuse_overlap
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import Exclude, Include, MaxSize, MinSize, Newer, Selection
from remote_store_cli._settings import BackendOption, ConfigFile, JsonOutput
from remote_store_cli._streams import from_stdin, to_stdout
from remote_store_cli._transfer import Manner, Outcome, run_jobs

__all__ = ["cp", "sync"]

Checksum = Annotated[
    bool, flag("--checksum", help="Short for --compare content: read both where needed.")
]


def cp(
    src: Sources,
    dst: Target,
    recursive: Recursive = False,
    into: Into = False,
    overwrite: Annotated[bool, flag("--overwrite", help="Replace files that differ.")] = False,
    compare: CompareOption = Compare.time,
    checksum: Checksum = False,
    include: Include = None,
    exclude: Exclude = None,
    newer: Newer = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    links: LinksOption = Links.report,
    no_metadata: NoMetadata = False,
    jobs: Jobs = 8,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: JsonOutput = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """
    Copy files, or what is below folders, between any two stores.

    The content of one folder SRC becomes content of folder DST; several
    sources are put into DST under their own names. Equal files are skipped,
    so that the same command resumes a copy that was interrupted. '-' is
    standard input as SRC, and standard output as DST.
    """
    manner = Manner(jobs, metadata=not no_metadata, quiet=quiet, verbose=verbose, as_json=as_json)

    async def work() -> int | None:
        if "-" in src:
            await _from_stdin(
                src, dst, config, option, manner, overwrite=overwrite, dry_run=dry_run
            )
            return None
        if dst == "-":
            await _to_stdout(src, config, option)
            return None
        way = Way(
            recursive=recursive,
            into=into,
            overwrite=overwrite,
            compare=checked(compare, content=checksum),
            selection=Selection.parse(include, exclude, newer, min_size, max_size),
            links=links,
        )
        outcome = Outcome()
        async with Opener([*src, dst], config, option) as opener:
            found = await jobs_for(opener, way, outcome)
            return await run_jobs(found, manner, outcome, dry_run=dry_run)

    run(work)


async def _from_stdin(
    src: list[str],
    dst: str,
    config: ConfigFile,
    option: BackendOption,
    manner: Manner,
    *,
    overwrite: bool,
    dry_run: bool,
) -> None:
    if len(src) > 1 or dst == "-":
        msg = "'-' as SRC is alone, and DST a file in a store; a file of that name is ./-"
        raise InvalidCommand(msg)
    async with Opener([dst], config, option) as opener:
        target = await opener.open(opener.locations[0], create=True)
        if not target.key or target.location.folder or await target.store.is_folder(target.key):
            msg = f"{dst} is a folder: what comes from standard input needs a name"
            raise InvalidCommand(msg)
        if dry_run:
            there = await target.store.is_file(target.key)
            word = ("replace" if overwrite else "conflict") if there else "copy"
            _show_stdin(word, target.text(), manner)
            return
        try:
            meter = Meter()
            meter.begin(manner.doing, 0, 0)
            async with showing(meter, quiet=manner.quiet):
                result = await target.store.write(
                    target.key, from_stdin(meter.more), overwrite=overwrite
                )
        except AlreadyExists as error:
            msg = f"{target.text()} exists; --overwrite replaces it"
            raise AlreadyExists(msg) from error
    if manner.as_json:
        emit_json({"copied": 1, "size": result.size, "failures": []})
    elif not manner.quiet:
        remark(f"copied 1 file ({human_size(result.size)})")


def _show_stdin(word: str, target: str, manner: Manner) -> None:
    reason = "standard input"
    if manner.as_json:
        facts = {"action": word, "source": "-", "target": target, "size": None, "reason": reason}
        emit_json([facts])
        return
    emit(f"{word:<8}  {'-':>10}  {target}  ({reason})")
    if not manner.quiet:
        remark("dry run: 1 action; nothing was done")


async def _to_stdout(src: list[str], config: ConfigFile, option: BackendOption) -> None:
    async with Opener(src, config, option) as opener:
        for location in opener.locations:
            await to_stdout(await opener.open(location))


def sync(
    src: Annotated[str, typer.Argument(metavar="SRC", help="Folder to take.")],
    dst: Annotated[str, typer.Argument(metavar="DST", help="Folder to make like it.")],
    delete: Annotated[
        bool,
        flag("--delete", help="Delete files that only DST has; at the end, and if nothing failed."),
    ] = False,
    compare: CompareOption = Compare.time,
    checksum: Checksum = False,
    include: Include = None,
    exclude: Exclude = None,
    newer: Newer = None,
    min_size: MinSize = None,
    max_size: MaxSize = None,
    links: LinksOption = Links.report,
    no_metadata: NoMetadata = False,
    jobs: Jobs = 8,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: JsonOutput = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """
    Make folder DST like folder SRC: copy what is new, replace what differs.

    What the patterns leave out is left alone in DST, too.
    """
    manner = Manner(jobs, metadata=not no_metadata, quiet=quiet, verbose=verbose, as_json=as_json)

    async def work() -> int | None:
        way = Way(
            overwrite=True,
            compare=checked(compare, content=checksum),
            selection=Selection.parse(include, exclude, newer, min_size, max_size),
            links=links,
        )
        outcome = Outcome()
        async with Opener([src, dst], config, option) as opener:
            source = await opener.open(opener.locations[0])
            if await kind_of(source) == "file":
                msg = f"{src} is a file, and sync is for folders; cp --overwrite copies it"
                raise InvalidCommand(msg)
            target = await opener.open(opener.locations[1], create=True)
            if target.key and await target.store.is_file(target.key):
                msg = f"{dst} is a file, and {src} a folder"
                raise InvalidCommand(msg)
            refuse_overlap(source, target)
            job = folder_job(source, target, way, delete=delete)

            def review() -> None:
                totals = job.plan.totals
                if totals.delete == totals.files > 0 and not job.plan.failures:
                    msg = (
                        f"{src} has no files, and --delete would remove all {totals.delete} of "
                        f"{dst}; if that is wanted: remote-store rm -r"
                    )
                    raise InvalidCommand(msg)

            return await run_jobs([job], manner, outcome, dry_run=dry_run, review=review)

    run(work)
