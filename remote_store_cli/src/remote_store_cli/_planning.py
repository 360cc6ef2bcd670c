"""From the sources and the destination of a command to the plans that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from attrs import evolve, field, frozen

from remote_store import NotFound, RemoteStoreError
from remote_store_cli._opening import OpenedPath, Opener, is_within, kind_of, look_at
from remote_store_cli._options import Compare, Links
from remote_store_cli._outcome import InvalidCommand
from remote_store_cli._selection import Selection
from remote_store_cli._transfer import Job, Outcome
from remote_store_transfer.aio import plan

__all__ = ["Way", "file_job", "folder_job", "jobs_for", "refuse_overlap"]


@frozen
class Way:
    """
    What the plans of a command are to be like.

    Args:
        recursive: Folders are taken, too.
        into: The destination is a folder to put things into.
        overwrite: Files that differ are replaced.
        compare: How files are compared.
        selection: Which files of folders count.
        links: What becomes of links.
        verb: What is done with a folder with ``-r``, for a message.
        compare_only: Nothing is going to be changed.
    """

    recursive: bool = False
    into: bool = False
    overwrite: bool = False
    compare: Compare = Compare.time
    selection: Selection = field(factory=lambda: Selection({}))
    links: Links = Links.report
    verb: str = "copies"
    compare_only: bool = False


async def jobs_for(opener: Opener, way: Way, outcome: Outcome) -> list[Job]:
    """
    Look at all sources and make the plans.

    A source that does not exist, or cannot be looked at, is a failure where
    there are others.

    Args:
        opener: Its last location is the destination.
        way: What is wanted.
        outcome: Gets the failures.

    Raises:
        InvalidCommand: A folder without ``-r``, a folder onto a file, or
            something onto or into itself.
        RemoteStoreError: The only source, or the destination, cannot be looked at.
    """
    *froms, to = opener.locations
    several = len(froms) > 1
    found: list[tuple[OpenedPath, Literal["file", "folder"]]] = []
    for look in await look_at(opener, froms):
        if look.error is not None:
            if not several:
                raise look.error
            outcome.fail(look.location.text, "look", look.error)
            continue
        assert look.opened is not None
        assert look.kind is not None
        if look.kind == "folder" and not way.recursive:
            msg = f"{look.location.text} is a folder; -r {way.verb} what is below it"
            raise InvalidCommand(msg)
        found.append((look.opened, look.kind))
    if not found:
        return []
    target = await opener.open(to, create=True)
    into = several or way.into or to.folder or not target.key
    exists: str | None = None
    if target.key and (several or any(kind == "folder" for _, kind in found) or not into):
        exists = await _what_is_at(target)
        if exists == "file" and (several or way.into or found[0][1] == "folder"):
            what = "several sources need a folder" if several else f"'{froms[0].text}' is a folder"
            msg = f"'{to.text}' is a file, and {what}; name a folder"
            raise InvalidCommand(msg)
    jobs = []
    files: list[tuple[OpenedPath, OpenedPath]] = []
    taken: dict[tuple[object, str], str] = {}
    for source, kind in found:
        put = several or way.into if kind == "folder" else into or exists == "folder"
        if put and not source.location.name:
            msg = f"{source.location.text} is a root without a name; copy it alone"
            raise InvalidCommand(msg)
        place = target.at(source.location.name) if put else target
        refuse_overlap(source, place)
        other = taken.setdefault((place.store, place.key), source.text())
        if other != source.text():
            msg = f"{other} and {source.text()} would both become {place.text()}; copy one alone"
            raise InvalidCommand(msg)
        if kind == "folder":
            jobs.append(folder_job(source, place, way))
        else:
            files.append((source, place))
    return [*_named(files, way), *jobs]


async def _what_is_at(opened: OpenedPath) -> Literal["file", "folder"] | None:
    try:
        return await kind_of(opened)
    except NotFound:
        return None


def _named(files: Sequence[tuple[OpenedPath, OpenedPath]], way: Way) -> list[Job]:
    """Return one plan for all files that go from one folder to another and keep their names."""
    jobs = []
    groups: dict[tuple[object, ...], list[tuple[OpenedPath, OpenedPath]]] = {}
    for source, target in files:
        (folder, name), (into, other) = _split(source.key), _split(target.key)
        # What is behind a link that was named has a name of its own.
        if name == other == source.location.name:
            place = source.store, folder, target.store, into
            groups.setdefault(place, []).append((source, target))
        else:
            jobs.append(file_job(source, target, way))
    for group in groups.values():
        (source, target), *others = group
        if others:
            names = [_split(source.key)[1] for source, _ in group]
            jobs.append(_job(_folder_of(source), _folder_of(target), way, names))
        else:
            jobs.append(file_job(source, target, way))
    return jobs


def refuse_overlap(source: OpenedPath, target: OpenedPath) -> None:
    """
    Refuse what would feed itself.

    Raises:
        InvalidCommand: The target is the source, or lies in it.
    """
    if is_within(target, source):
        msg = f"'{target.text()}' is '{source.text()}' itself or lies in it; name another place"
        raise InvalidCommand(msg)


def file_job(source: OpenedPath, target: OpenedPath, way: Way) -> Job:
    """Return the job for one file, under whatever name."""
    return _job(source, target, way, [""])


def folder_job(source: OpenedPath, target: OpenedPath, way: Way, *, delete: bool = False) -> Job:
    """Return the job for all that is below a folder."""
    return _job(source, target, way, delete=delete)


def _job(
    source: OpenedPath,
    target: OpenedPath,
    way: Way,
    paths: Sequence[str] | None = None,
    *,
    delete: bool = False,
) -> Job:
    try:
        work = plan(
            source.store,
            target.store,
            source_path=source.key,
            target_path=target.key,
            paths=paths,
            delete=delete,
            compare=way.compare.value,
            overwrite=way.overwrite,
            links=way.links.value,
            compare_only=way.compare_only,
            **way.selection.options,
        )
    except RemoteStoreError:
        raise  # some of them are ValueErrors, too
    except ValueError as error:
        msg = (
            f"'{target.text()}' is '{source.text()}' itself, or one lies in the other; name another"
        )
        raise InvalidCommand(msg) from error
    return Job(work, source, target, is_folder=paths is None)


def _split(key: str) -> tuple[str, str]:
    folder, _, name = key.rpartition("/")
    return folder, name


def _folder_of(opened: OpenedPath) -> OpenedPath:
    """Return the folder that a file is in."""
    folder = evolve(opened, key=_split(opened.key)[0])
    if opened.name:
        return evolve(folder, name=_split(opened.name)[0])
    text = opened.location.text
    return evolve(folder, location=evolve(opened.location, text=text[: text.rfind("/") + 1]))
