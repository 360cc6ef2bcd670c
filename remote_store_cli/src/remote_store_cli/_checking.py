"""The command `check`."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any, Final

from remote_store_cli._codes import FAILED
from remote_store_cli._commands import command
from remote_store_cli._console import names_left_out, remark
from remote_store_cli._opening import Opener, kind_of
from remote_store_cli._options import (
    Checksum,
    Compare,
    CompareOption,
    JsonOutput,
    Links,
    LinksOption,
    Quiet,
    checked,
)
from remote_store_cli._outcome import InvalidCommand, run
from remote_store_cli._output import emit, emit_json
from remote_store_cli._parameters import SAID, argument, flag
from remote_store_cli._planning import Way, file_job, folder_job, refuse_overlap
from remote_store_cli._progress import Meter, showing
from remote_store_cli._selection import Which
from remote_store_cli._settings import Stores
from remote_store_cli._transfer import Outcome, prepare
from remote_store_cli._units import count

__all__ = ["check"]

_WORDS: Final = {
    "copy": "missing",
    "replace": "differs",
    "conflict": "differs",
    "delete": "extra",
    "skip": "equal",
}


@command
def check(
    src: Annotated[str, argument("SRC", help="File or folder as it should be.")],
    dst: Annotated[str, argument("DST", help="What is compared with it.")],
    *,
    one_way: Annotated[
        bool, flag("--one-way", help="Say nothing of files that only DST has.")
    ] = False,
    compare: CompareOption = Compare.content,
    checksum: Checksum = False,
    which: Which,
    links: LinksOption = Links.report,
    verbose: Annotated[
        bool, flag("--verbose", "-v", help="Also the files that are equal.", panel=SAID)
    ] = False,
    quiet: Quiet = False,
    as_json: JsonOutput = False,
    stores: Stores,
) -> None:
    """
    Compare DST with SRC and change nothing; exit code 1 if they differ, or that is not known.

    Contents are read on both sides, except where a common digest is known.
    Files that only DST has are told, and are no failure.
    """

    async def work() -> int | None:
        way = Way(
            compare=checked(compare, content=checksum),
            selection=which.selection(),
            links=links,
            compare_only=True,
        )
        outcome = Outcome()
        async with Opener([src, dst], stores) as opener:
            source, target = [await opener.open(location) for location in opener.locations]
            kind, other = await kind_of(source), await kind_of(target)
            if kind != other:
                sides = f"'{source.text()}' is a {kind}, and '{target.text()}' a {other}"
                msg = f"{sides}; name two alike"
                raise InvalidCommand(msg)
            refuse_overlap(source, target)
            if kind == "file":
                job = file_job(source, target, way)
            else:
                job = folder_job(source, target, way, delete=not one_way)
            found: dict[str, list[str]] = {"differs": [], "missing": [], "extra": []}
            equal = 0
            meter = Meter("comparing")
            meter.known = lambda: job.plan.totals.files
            with contextlib.closing(job.plan):
                async with showing(meter, quiet=quiet):
                    ready = await prepare([job], outcome, "")
                async for action in job.plan:
                    word = _WORDS[action.kind]
                    if not ready:
                        continue
                    if word == "equal":
                        equal += 1
                    else:
                        found[word].append(action.path)
                    if not as_json and (verbose or word != "equal"):
                        emit(f"{word:<7}  {job.target.text(action.path)}")
        _conclude(equal, found, outcome, as_json=as_json, quiet=quiet)
        # What was left out was not compared.
        return FAILED if found["differs"] or found["missing"] or outcome.links else outcome.code

    run(work)


def _conclude(
    equal: int, found: dict[str, list[str]], outcome: Outcome, *, as_json: bool, quiet: bool
) -> None:
    if as_json:
        facts: dict[str, Any] = {"equal": equal, **found}
        facts["links_left_out"] = outcome.links
        facts["names_left_out"] = names_left_out()
        emit_json({**facts, "failures": outcome.failures})
    elif not quiet:
        parts = [f"{count(equal, 'equal file')}"]
        parts += [f"{len(paths)} {word}" for word, paths in found.items() if paths]
        if outcome.failures:
            parts.append(f"{len(outcome.failures)} not compared")
        if outcome.links:
            parts.append(f"{count(outcome.links, 'link')} left out, see --links")
        remark("; ".join(parts))
