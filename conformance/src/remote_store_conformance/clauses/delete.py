"""DEL: deleting files and folders."""

from __future__ import annotations

from typing import Any

from remote_store import (
    Capability,
    CapabilityNotSupported,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    RemoteStoreError,
)
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._declined import declined
from remote_store_conformance.clauses._transfers import rounds
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.races import crew

C = Capability


@clause(
    "DEL-001",
    "A deleted file is gone for every operation, and its neighbours and its folder are not.",
    intent="Deleting is what cannot be undone.",
    requires=[C.DELETE],
    needs=[Need.SEED],
)
async def gone(t: Trial) -> None:
    folder = t.name("folder")
    path = await t.seed_file(f"{folder}/file")
    others = [await t.seed_file(f"{folder}/{name}") for name in ("file2", "fil", "file.d/file")]
    await t.store.delete(path)
    found = (await t.store.exists(path), await t.store.is_file(path))
    expect(found == (False, False), "a deleted file still exists", observed=found)
    if t.declares(C.READ):
        with raises(NotFound, "when a deleted file is read"):
            await t.store.read_bytes(path)
    if t.declares(C.METADATA):
        with raises(NotFound, "when a deleted file is asked about"):
            await t.store.get_file_info(path)
    left = await t.names()
    expect(
        left == sorted(others),
        "after a delete other files are there than before without the deleted one",
        observed=left,
        expected=sorted(others),
    )
    if t.declares(C.LIST):
        files = await collect(t.store.list_files("", recursive=True))
        listed = sorted([file.path.as_posix() for file in files])
        expect(listed == sorted(others), "a deleted file is listed", observed=listed)
    with raises(NotFound, "when a file is deleted for the second time"):
        await t.store.delete(path)


@clause(
    "DEL-002",
    "Deleting a missing file, or a path through a file, raises NotFound; with missing_ok nothing.",
    intent="A cleanup must be repeatable, and a typo must be noticed.",
    requires=[C.DELETE],
    needs=[Need.SEED],
)
async def missing(t: Trial) -> None:
    path = await t.seed_file(t.name("file"))
    async with t.unchanged("by deleting what is missing"):
        for what, absent in (
            ("a missing file", t.name("missing")),
            ("a file in a missing folder", f"{t.name('missing')}/file"),
            ("a path through a file", f"{path}/below"),
        ):
            with raises(NotFound, f"when {what} is deleted", contains=absent):
                await t.store.delete(absent)
            await t.store.delete(absent, missing_ok=True)


@clause(
    "DEL-003",
    "Deleting a folder as a file raises InvalidPath, whatever missing_ok says.",
    intent="A folder is neither a file nor missing.",
    requires=[C.DELETE],
    needs=[Need.SEED],
)
async def folder_is_no_file(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/sub/file")
    async with t.unchanged("by deleting a folder as a file"):
        for path in (folder, f"{folder}/sub"):
            for missing_ok in (False, True):
                when = f"when a folder is deleted as a file with missing_ok={missing_ok}"
                with raises(InvalidPath, when):
                    await t.store.delete(path, missing_ok=missing_ok)


@clause(
    "DEL-004",
    "delete_folder without recursive raises DirectoryNotEmpty for a folder with a file or a "
    "folder in it, and deletes nothing.",
    intent="The flag is the only guard of a tree.",
    requires=[C.DELETE],
    needs=[Need.SEED],
)
async def not_empty(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/sub/deep/file")
    async with t.unchanged("by deleting a folder that is not empty"):
        for path in (folder, f"{folder}/sub", f"{folder}/sub/deep"):
            with raises(DirectoryNotEmpty, "when a folder with content is deleted", contains=path):
                await t.store.delete_folder(path)
    if t.is_a(Trait.HIERARCHICAL):
        await t.store.delete(f"{folder}/sub/deep/file")
        with raises(DirectoryNotEmpty, "when a folder with an empty folder in it is deleted"):
            await t.store.delete_folder(folder)
        await t.store.delete_folder(f"{folder}/sub/deep")
        there = await t.store.exists(f"{folder}/sub/deep")
        expect(there is False, "an empty folder is there after it was deleted", observed=there)


@clause(
    "DEL-005",
    "A recursive delete removes the folder with all below it, and nothing beside it.",
    intent="A neighbour whose name begins alike is not below it.",
    requires=[C.DELETE],
    needs=[Need.SEED],
)
async def exactly_the_subtree(t: Trial) -> None:
    folder = t.name("folder")
    for name in ("a", "sub/a", "sub/deep/er/a", "sub/[x]*"):
        await t.seed_file(f"{folder}/{name}")
    # What comes before and after a slash in the order of characters, and what
    # a command line would take apart.
    alike = [f"{folder}{more}/a" for more in ("x", "0", "-x", " x", ".d", "'s")]
    others = [f"{folder}.txt", f"{folder[:-1]}/a", f"up/{folder}/a"]
    beside = [await t.seed_file(path) for path in alike + others]
    await t.store.delete_folder(folder, recursive=True)
    left = await t.names()
    expect(
        left == sorted(beside),
        "a recursive delete left something, or took something beside the folder",
        observed=left,
        expected=sorted(beside),
    )
    for path in (folder, f"{folder}/sub", f"{folder}/sub/deep"):
        there = await t.store.exists(path)
        expect(there is False, "a folder is there after its recursive delete", observed=path)


@clause(
    "DEL-006",
    "The root is never deleted: delete_folder refuses it with InvalidPath in every spelling.",
    intent="An empty variable must not cost the whole store.",
    requires=[C.DELETE],
    needs=[Need.SEED],
)
async def root_refused(t: Trial) -> None:
    await t.seed_file(t.name("file"))
    async with t.unchanged("by deleting the root"):
        for root in ("", "."):
            for recursive in (False, True):
                when = f"when the root of a store is deleted as {root!r}"
                with raises(InvalidPath, when):
                    await t.store.delete_folder(root, recursive=recursive, missing_ok=True)
            if t.target.environment == "live":
                t.note(own_root="not tried: a backend that gets it wrong would lose everything")
                continue
            with raises(InvalidPath, f"when the backend's own root is deleted as {root!r}"):
                await t.backend.delete_folder(root)


@clause(
    "DEL-007",
    "Of concurrent deletes of one file exactly one succeeds, and the others get NotFound; but one "
    "whose own request got no answer, and which then finds nothing, succeeds too.",
    intent="The one who deletes a job file owns the job.",
    level=Level.STOCHASTIC,
    requires=[C.DELETE],
    needs=[Need.SEED],
    seconds=60,
)
async def one_deleter(t: Trial) -> None:
    async with crew(t, 4, apart=True) as racers:
        for number in rounds(t, 40):
            path = await t.seed_file(t.name())

            async def delete(store: AsyncStore, path: str = path) -> None:
                await store.delete(path)

            outcomes = await racers.race([delete] * 4)
            told = ", ".join(map(str, outcomes))
            winners = [outcome for outcome in outcomes if outcome.won]
            others = [outcome.error for outcome in outcomes if not outcome.won]
            expect(
                len(winners) == 1 and all(isinstance(error, NotFound) for error in others),
                "of four deletes of one file at the same time, not exactly one succeeded",
                observed=told,
                expected="one ok, the others NotFound",
                round=number,
                errors=[repr(error) for error in others],
            )


@clause(
    "DEL-008",
    "A delete_folder without recursive never removes a file that appears meanwhile.",
    intent="That a folder was empty a moment ago is no leave to delete what is in it.",
    level=Level.STOCHASTIC,
    requires=[C.DELETE, C.WRITE],
    needs=[Need.PEEK],
    only=[Trait.HIERARCHICAL],
    seconds=60,
)
async def appears_meanwhile(t: Trial) -> None:
    async with crew(t, 2) as racers:
        for number in rounds(t, 60):
            folder = t.name("folder")
            path = f"{folder}/new"
            await t.store.write(path, b"first")
            await t.store.delete(path)

            async def remove(store: AsyncStore, folder: str = folder) -> Any:
                await store.delete_folder(folder)

            async def write(store: AsyncStore, path: str = path) -> Any:
                await store.write(path, b"new")

            removed, written = await racers.race([remove, write])
            expect(
                removed.won or isinstance(removed.error, DirectoryNotEmpty),
                "delete_folder beside a write got another error",
                observed=repr(removed.error),
                expected="DirectoryNotEmpty",
            )
            found = await t.peek(path)
            if written.won:
                expect(
                    found == b"new",
                    "delete_folder without recursive removed a file that was being written",
                    observed=found,
                    expected=b"new",
                    round=number,
                    delete_folder=str(removed),
                )
            else:
                expect(
                    isinstance(written.error, RemoteStoreError) and found is None,
                    "a write beside a delete_folder failed in another way than with an error "
                    "of the store and no file",
                    observed=f"{written.error!r}, {found!r}",
                )


@clause(
    "DEL-009",
    "delete_folder raises NotFound where nothing is, nothing with missing_ok, and InvalidPath "
    "for a file in either case.",
    intent="A file is not deleted by accident, and a missing folder is not an error twice.",
    requires=[C.DELETE],
    needs=[Need.SEED],
)
async def no_folder(t: Trial) -> None:
    path = await t.seed_file(t.name("file"))
    async with t.unchanged("by deleting a folder that is none"):
        for recursive in (False, True):
            for what, absent in (
                ("a missing folder", t.name("missing")),
                ("a path through a file", f"{path}/below"),
            ):
                when = f"by delete_folder of {what} with recursive={recursive}"
                with raises(NotFound, when, contains=absent):
                    await t.store.delete_folder(absent, recursive=recursive)
                await t.store.delete_folder(absent, recursive=recursive, missing_ok=True)
            for missing_ok in (False, True):
                when = f"by delete_folder of a file with missing_ok={missing_ok}"
                with raises(InvalidPath, when):
                    await t.store.delete_folder(path, recursive=recursive, missing_ok=missing_ok)


@clause(
    "DEL-010",
    "delete_many gives each path the result that delete has, whatever the others have; a backend "
    "that deletes one by one raises CapabilityNotSupported with capability 'delete_many', and "
    "nothing changes.",
    intent="A request for a thousand files must not hide what became of one of them.",
    requires=[C.DELETE],
    needs=[Need.SEED],
    since="1.1",
)
async def together(t: Trial) -> None:
    folder = t.name("folder")
    inner = await t.seed_file(f"{folder}/sub/file")
    beside = await t.seed_file(f"{folder}/file")
    for missing_ok in (False, True):
        # As many as make a look at the folder worth its price.
        files = [await t.seed_file(f"{folder}/file{number}") for number in range(20)]
        missing, sub = f"{folder}/missing", f"{folder}/sub"
        paths = [*files[:7], missing, *files[7:14], sub, *files[14:]]
        before = await t.names()
        try:
            found = await t.store.delete_many(paths, missing_ok=missing_ok)
        except CapabilityNotSupported as refusal:
            declined("delete_many", refusal, {*before} ^ {*await t.names()})
            return
        left = await t.names()
        told = dict(zip(paths, found, strict=True))
        wanted = {missing: type(None) if missing_ok else NotFound, sub: InvalidPath}
        for path, error in told.items():
            expect(
                isinstance(error, wanted.get(path, type(None))),
                f"delete_many with missing_ok={missing_ok} tells of a path what delete does not",
                observed=f"{path!r}: {error!r}",
                expected=wanted.get(path, type(None)).__name__,
            )
        expect(
            left == sorted([inner, beside]),
            "after delete_many other files are there than before without the deleted ones",
            observed=left,
            expected=sorted([inner, beside]),
        )
