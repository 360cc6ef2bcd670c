"""FOLDER: folders that are made without a file."""

from __future__ import annotations

from typing import Any

from remote_store import Capability, InvalidPath
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.races import crew

C = Capability

#: Calls that make one folder at the same time.
_RACERS = 4


async def _entries(t: Trial, folder: str) -> list[str]:
    """Return the paths of what is in a folder."""
    found = await collect(t.store.iter_children(folder))
    return sorted(entry.path.as_posix() for entry in found)


async def _is_empty_folder(t: Trial, path: str, what: str) -> None:
    """State that an empty folder is at a path, for every operation."""
    found = (await t.store.exists(path), await t.store.is_file(path), await t.store.is_folder(path))
    expect(
        found == (True, False, True),
        f"exists, is_file and is_folder do not say that {what} is a folder",
        observed=found,
        expected=(True, False, True),
    )
    if t.declares(C.LIST):
        above = path.rpartition("/")[0]
        folders = [f.path.as_posix() for f in await collect(t.store.list_folders(above))]
        expect(
            path in folders,
            f"list_folders does not name {what}",
            observed=folders,
            expected=path,
        )
        inside = await _entries(t, path)
        expect(not inside, f"{what} is not empty", observed=inside, expected="nothing")
    if t.declares(C.METADATA):
        info = await t.store.get_folder_info(path)
        counted = (info.file_count, info.total_size)
        expect(
            counted == (0, 0),
            f"get_folder_info counts something in {what}",
            observed=counted,
            expected="0 files of 0 bytes",
        )


@clause(
    "FOLDER-001",
    "A folder that was made is an empty folder for every operation, and no file; it stays when a "
    "file in it comes and goes, and delete_folder removes it.",
    intent="A program that prepares folders must find them.",
    requires=[C.CREATE_FOLDER, C.WRITE],
    since="1.1",
)
async def made(t: Trial) -> None:
    top = t.name("folder")
    for path in (top, f"{top}/a b", f"{top}/ä.d"):
        await t.store.create_folder(path)
        await _is_empty_folder(t, path, "a folder that was made")
        await t.seed_file(f"{path}/file")
        if t.declares(C.DELETE):
            await t.store.delete(f"{path}/file")
            await _is_empty_folder(t, path, "a folder that was made, after a file came and went")
    if not t.declares(C.DELETE):
        return
    for path in (f"{top}/ä.d", f"{top}/a b", top):
        await t.store.delete_folder(path)
        there = await t.store.exists(path)
        expect(there is False, "a folder is there after delete_folder", observed=path)


@clause(
    "FOLDER-002",
    "Making a folder that is there is no error, and changes nothing in it.",
    intent="Who prepares a folder does not ask first whether somebody did.",
    requires=[C.CREATE_FOLDER, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
)
async def again(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/sub/file", b"content")
    await t.store.create_folder(f"{folder}/empty")
    async with t.unchanged("by making folders that are there"):
        for path in (folder, f"{folder}/sub", f"{folder}/empty"):
            await t.store.create_folder(path)
            await t.store.create_folder(path)
    if t.declares(C.LIST):
        found = await _entries(t, folder)
        expected = [f"{folder}/empty", f"{folder}/sub"]
        expect(
            found == expected,
            "making folders that are there changed what is in them",
            observed=found,
            expected=expected,
        )


@clause(
    "FOLDER-003",
    "Where a file is, or below one, making a folder raises InvalidPath and changes nothing.",
    intent="A file must not be lost to a folder of its name.",
    requires=[C.CREATE_FOLDER, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
)
async def file_in_the_way(t: Trial) -> None:
    folder = t.name("folder")
    path = await t.seed_file(f"{folder}/file", b"content")
    async with t.unchanged("by making a folder where a file is, or below one"):
        for bad in (path, f"{path}/below", f"{path}/far/below"):
            when = "when a folder is made where a file is" + " above it" * (bad != path)
            with raises(InvalidPath, when, contains=bad):
                await t.store.create_folder(bad)
            there = (await t.store.is_file(path), await t.store.is_folder(bad))
            expect(
                there == (True, False),
                "a file was in the way of a folder, and is no file any more",
                observed=there,
                expected=(True, False),
            )


@clause(
    "FOLDER-004",
    "The folders above one that is made are made with it.",
    intent="The parents of a file come by themselves, and so must those of a folder.",
    requires=[C.CREATE_FOLDER, C.WRITE],
    since="1.1",
)
async def parents(t: Trial) -> None:
    top = t.name("folder")
    await t.seed_file(f"{top}/there/file")
    for base in (f"{top}/there", f"{top}/new"):
        deepest = f"{base}/a/b/c"
        await t.store.create_folder(deepest)
        await _is_empty_folder(t, deepest, "a folder deep below one that was missing")
        for path in (base, f"{base}/a", f"{base}/a/b"):
            there = await t.store.is_folder(path)
            expect(there, "a folder above one that was made is missing", observed=path)


@clause(
    "FOLDER-005",
    "Of several calls that make one folder, or folders with a common parent, at the same time, "
    "all succeed.",
    intent="Workers that start together prepare the same folder.",
    level=Level.STOCHASTIC,
    requires=[C.CREATE_FOLDER, C.WRITE],
    since="1.1",
    seconds=60,
)
async def at_once(t: Trial) -> None:
    async with crew(t, _RACERS, apart=True) as racers:
        for number in rounds(t, 40):
            top = t.name("folder")
            # Every second time each makes one of its own, in a parent that none has made.
            own = [f"{top}/in/{i}" if number % 2 else f"{top}/in" for i in range(_RACERS)]
            outcomes = await racers.race([_make(path) for path in own])
            expect(
                all(outcome.won for outcome in outcomes),
                "of calls that make folders at the same time not all succeeded",
                observed=[repr(o.error) for o in outcomes if not o.won],
                expected="all succeed",
                round=number,
            )
            for path in own:
                there = await t.store.is_folder(path)
                expect(there, "a folder is missing that was made together with others")


def _make(path: str) -> Any:
    async def make(store: AsyncStore) -> None:
        await store.create_folder(path)

    return make


@clause(
    "FOLDER-006",
    "The root may be made as any folder, in every spelling: it is there already.",
    intent="A program that prepares the folder of its configuration need not know where it is.",
    requires=[C.CREATE_FOLDER, C.WRITE],
    needs=[Need.PEEK],
    since="1.1",
)
async def root(t: Trial) -> None:
    path = await t.seed_file(t.name("file"), b"content")
    for spelling in ("", "."):
        await t.store.create_folder(spelling)
        await t.backend.create_folder(spelling)
    found = (await t.store.is_folder(""), await t.peek(path))
    expect(
        found == (True, b"content"),
        "the root is not as it was after it was made once more",
        observed=found,
        expected=(True, b"content"),
    )
    new = t.name("new")
    child = t.store.child(f"{new}/root")
    await child.create_folder("")
    there = await t.store.is_folder(f"{new}/root")
    expect(there, "a store that made its root has none", observed=there)


@clause(
    "FOLDER-007",
    "A folder that was made is there for another client, and after a close.",
    intent="What one program has prepared is for others.",
    requires=[C.CREATE_FOLDER, C.WRITE],
    only=[Trait.PERSISTENT],
    since="1.1",
)
async def lasts(t: Trial) -> None:
    folder = f"{t.name('folder')}/sub"
    maker = await t.another()
    await t.store_over(maker).create_folder(folder)
    await maker.aclose()
    there = await t.store.is_folder(folder)
    expect(there, "another client does not see a folder that was made", observed=there)
