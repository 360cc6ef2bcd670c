"""The commands `cp` and `mv`."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

import typer

from remote_store import Capability
from remote_store_cli._codes import FAILED
from remote_store_cli._console import human_size, links_left_out, names_left_out, remark
from remote_store_cli._opening import OpenedPath, Opener, is_within, kind_of
from remote_store_cli._outcome import EXPECTED, InvalidCommand, run
from remote_store_cli._progress import ProgressBar, Silent
from remote_store_cli._settings import BackendOption, ConfigFile
from remote_store_cli._transfer import Policy, TransferTotals, copy_file, copy_tree, move_file

__all__ = ["cp", "mv"]

Source = Annotated[str, typer.Argument(metavar="SRC", help="File or folder to take.")]
Target = Annotated[
    str, typer.Argument(metavar="DST", help="Where to; ending in '/': a folder to put a file into.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
Checksum = Annotated[
    bool, typer.Option("--checksum", help="Compare contents where no common digest is known.")
]
Metadata = Annotated[
    bool, typer.Option("--metadata/--no-metadata", help="Take user metadata along.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")]


def cp(
    src: Source,
    dst: Target,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", "-R", help="Copy what is below a folder.")
    ] = False,
    overwrite: Overwrite = False,
    skip_equal: Annotated[
        bool, typer.Option("--skip-equal/--no-skip-equal", help="Leave equal files alone.")
    ] = True,
    checksum: Checksum = False,
    metadata: Metadata = True,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Files at a time.")] = 8,
    quiet: Quiet = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """
    Copy a file, or what is below a folder, between any two stores.

    The content of folder SRC becomes content of folder DST. A copy that was
    interrupted is resumed by giving the same command again.
    """
    policy = Policy(overwrite, skip_equal, checksum, metadata, jobs)

    async def work() -> int | None:
        async with Opener([src, dst], config, option) as opener:
            source = await opener.open(opener.locations[0])
            kind = await kind_of(source)
            if kind == "folder" and not recursive:
                msg = f"{source.location.text} is a folder; -r copies what is below it"
                raise InvalidCommand(msg)
            target = await opener.open(opener.locations[1], create=True)
            if kind == "file":
                target = await _for_file(source, target)
            elif target.key and await target.store.is_file(target.key):
                msg = f"{target.location.text} is a file, and {source.location.text} a folder"
                raise InvalidCommand(msg)
            _refuse_overlap(source, target)
            size = await _size(source, kind, quiet=quiet)
            with _watcher(size, quiet=quiet) as listener:
                if kind == "folder":
                    report = await copy_tree(source, target, policy, listener)
                else:
                    report = TransferTotals()
                    report.add(await copy_file(source, target, policy, listener, size=size))
        if not quiet:
            remark(_summary(report))
        return FAILED if report.failed or names_left_out() else None

    run(work)


def mv(
    src: Source,
    dst: Target,
    overwrite: Overwrite = False,
    checksum: Checksum = False,
    metadata: Metadata = True,
    quiet: Quiet = False,
    config: ConfigFile = None,
    option: BackendOption = None,
) -> None:
    """Move a file: by the store's own move, or by copy, verification and delete."""
    policy = Policy(overwrite=overwrite, checksum=checksum, metadata=metadata)

    async def work() -> None:
        async with Opener([src, dst], config, option) as opener:
            source = await opener.open(opener.locations[0])
            if await kind_of(source) == "folder":
                msg = (
                    f"{source.location.text} is a folder; "
                    "copy it with cp -r, then remove it with rm -r"
                )
                raise InvalidCommand(msg)
            target = await opener.open(opener.locations[1], create=True)
            target = await _for_file(source, target)
            _refuse_overlap(source, target)
            size = await _size(source, "file", quiet=quiet)
            with _watcher(size, quiet=quiet) as listener:
                await move_file(source, target, policy, listener)

    run(work)


async def _for_file(source: OpenedPath, target: OpenedPath) -> OpenedPath:
    """Return where a file goes: into the target if that is a folder, else to the target itself."""
    if target.location.folder or not target.key or await target.store.is_folder(target.key):
        return target.at(source.location.name)
    return target


def _refuse_overlap(source: OpenedPath, target: OpenedPath) -> None:
    if is_within(target, source):
        msg = f"{target.location.text} is {source.location.text} itself or lies in it"
        raise InvalidCommand(msg)


async def _size(source: OpenedPath, kind: str, *, quiet: bool) -> int | None:
    """Return the bytes to expect; of a folder only where a bar makes them worth the question."""
    if not source.store.supports(Capability.METADATA):
        return None
    if kind == "file":
        return (await source.store.get_file_info(source.key)).size
    if quiet or not sys.stderr.isatty():
        return None
    try:
        return (await source.store.get_folder_info(source.key)).total_size
    except EXPECTED:
        return None  # the copy goes on, and reports it


def _watcher(size: int | None, *, quiet: bool) -> contextlib.AbstractContextManager[Silent]:
    if quiet or not sys.stderr.isatty():
        return contextlib.nullcontext(Silent())
    return ProgressBar(size)


def _summary(report: TransferTotals) -> str:
    parts = [f"copied {_files(report.copied)} ({human_size(report.copied_bytes)})"]
    parts += [f"skipped {_files(n)} equal by {by}" for by, n in sorted(report.skipped.items())]
    if report.metadata_left:
        parts.append(f"user metadata of {_files(report.metadata_left)} left behind")
    if report.failed:
        parts.append(f"{report.failed} failed")
    if names_left_out():
        parts.append("names that no path can have left out")
    if links := links_left_out():
        parts.append(f"{links} {'link' if links == 1 else 'links'} left out")
    return "; ".join(parts)


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"
