"""LIST: listing."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Final

from remote_store import UNKNOWN_TIME, Capability, FileInfo, FolderEntry
from remote_store.aio import AsyncStore
from remote_store_conformance.clauses._listed import lists, names_of, paths_of
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Unverified, expect
from remote_store_conformance.contract.kinds import Level, Need, Trait
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.races import crew
from remote_store_conformance.tools.zones import far_from_utc

C = Capability

#: Names of files in a folder, with neighbours whose names begin alike and come
#: on both sides of "sub/" in the order of keys.
_TREE: Final = (
    *("sub/b", "a", "subx/a", "sub/a", "sub/deep/er/a", "ab", "sub/deep/a", "sub.txt"),
    *("sub-x/a", "sub x/a", "sub0"),
)
_FOLDERS: Final = ("sub", "sub x", "sub-x", "subx")


async def _seed_tree(t: Trial) -> str:
    folder = t.name("folder")
    for name in _TREE:
        await t.seed_file(f"{folder}/{name}", name.encode())
    return folder


@clause(
    "LIST-001",
    "list_files gives every file of a folder, and with recursive every file below it.",
    intent="What a listing leaves out is not backed up, not deleted and not found.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def complete(t: Trial) -> None:
    folder = await _seed_tree(t)
    direct = [name for name in _TREE if "/" not in name]
    flat = await paths_of(folder, t.store.list_files(folder))
    lists("list_files", flat, direct)
    deep = await paths_of(folder, t.store.list_files(folder, recursive=True))
    lists("list_files(recursive=True)", deep, _TREE)
    root = await paths_of(folder, t.store.list_files("", recursive=True))
    lists("list_files('', recursive=True)", root, _TREE)
    entries: list[Any] = await collect(t.backend.list_files(t.key(folder)))
    expect(
        all(isinstance(entry, FileInfo) for entry in entries),
        "list_files yields something other than FileInfo",
        observed=entries[:1],
    )


@clause(
    "LIST-002",
    "A folder's listing has nothing of a neighbour whose name begins alike.",
    intent="A prefix of keys is not a folder: 'sub' does not hold 'subx/a'.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def whole_segments(t: Trial) -> None:
    folder = await _seed_tree(t)
    sub = f"{folder}/sub"
    files = await paths_of(sub, t.store.list_files(sub, recursive=True))
    lists("list_files('sub', recursive=True)", files, ["a", "b", "deep/a", "deep/er/a"])
    lists("list_files('sub')", await paths_of(sub, t.store.list_files(sub)), ["a", "b"])
    lists("list_folders('sub')", await paths_of(sub, t.store.list_folders(sub)), ["deep"])
    short = f"{folder}/su"
    lists("list_files of a name's beginning", await paths_of(short, t.store.list_files(short)), [])


@clause(
    "LIST-003",
    "list_folders gives each immediate subfolder once, and no file.",
    intent="A folder comes once, however many files it holds.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def folders_once(t: Trial) -> None:
    folder = await _seed_tree(t)
    found = await paths_of(folder, t.store.list_folders(folder))
    lists("list_folders", found, _FOLDERS)
    entries: list[Any] = await collect(t.backend.list_folders(t.key(folder)))
    expect(
        all(isinstance(entry, FolderEntry) for entry in entries),
        "list_folders yields something other than FolderEntry",
        observed=entries[:1],
    )
    names = sorted(entry.name for entry in entries)
    expect(
        names == sorted(_FOLDERS),
        "the name of a folder is not the last segment of its path",
        observed=names,
        expected=sorted(_FOLDERS),
    )


@clause(
    "LIST-004",
    "Listing a missing path, a file, or a path through a file gives nothing and no error.",
    intent="On half of all storage a folder without files does not exist.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def nothing(t: Trial) -> None:
    path = await t.seed_file(f"{t.name('folder')}/file")
    for what, asked in (
        ("a missing folder", t.name("missing")),
        ("a missing folder in a missing folder", f"{t.name('missing')}/below"),
        ("a file", path),
        ("a path through a file", f"{path}/below"),
    ):
        for method, listing in (
            ("list_files", t.store.list_files(asked)),
            ("list_files(recursive=True)", t.store.list_files(asked, recursive=True)),
            ("list_files(max_depth=1)", t.store.list_files(asked, max_depth=1)),
            ("list_folders", t.store.list_folders(asked)),
            ("iter_children", t.store.iter_children(asked)),
        ):
            found: list[Any] = await collect(listing)
            expect(not found, f"{method} of {what} gives something", observed=found, expected=[])


@clause(
    "LIST-006",
    "max_depth bounds how many folders deep a listing goes, 0 for the folder itself.",
    intent="It is what makes listing a deep tree affordable.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def depth(t: Trial) -> None:
    folder = await _seed_tree(t)
    for limit in range(5):
        files = await paths_of(folder, t.store.list_files(folder, max_depth=limit))
        expected = [name for name in _TREE if name.count("/") <= limit]
        lists(f"list_files(max_depth={limit})", files, expected)
    for limit, folders in (
        (0, _FOLDERS),
        (1, (*_FOLDERS, "sub/deep")),
        (2, (*_FOLDERS, "sub/deep", "sub/deep/er")),
    ):
        found = await paths_of(folder, t.store.list_folders(folder, max_depth=limit))
        lists(f"list_folders(max_depth={limit})", found, folders)


@clause(
    "LIST-007",
    "A listing beside writes and deletes does not fail, and gives what stays in place once.",
    intent="Stores are listed while others work on them.",
    level=Level.STOCHASTIC,
    requires=[C.LIST, C.WRITE],
    seconds=60,
)
async def beside_writes(t: Trial) -> None:
    folder = t.name("folder")
    stay = [f"stay-{n:02d}" for n in range(20)]
    for name in stay:
        await t.store.write(f"{folder}/{name}", b"x")
    times = 8 if t.is_a(Trait.LOCAL) else 3

    async def listed(store: AsyncStore) -> list[list[str]]:
        found = []
        for _ in range(times):
            found.append(await names_of(store.list_files(folder)))
            found.append(await names_of(store.list_files("", recursive=True)))
            found.append(await names_of(store.iter_children(folder)))
        return found

    async def churned(store: AsyncStore) -> list[list[str]]:
        for number in range(4 * times):
            path = f"{folder}/{t.name('come-and-go')}"
            await store.write(path, b"x")
            if number % 2 and t.declares(C.DELETE):
                await store.delete(path)
        return []

    async with crew(t, 4) as racers:
        outcomes = await racers.race([listed, churned, churned, listed])
    errors = [repr(outcome.error) for outcome in outcomes if not outcome.won]
    expect(not errors, "a listing or a write beside it failed", observed=errors)
    for names in (names for outcome in outcomes for names in outcome.value or ()):
        kept = [name for name in names if name.startswith("stay-")]
        lists("what a listing beside writes gives of files that stay in place", kept, stay)


@clause(
    "LIST-008",
    "Every entry of a listing has the path that leads to it, and its name is the last segment.",
    intent="Programs open, delete and filter what they have listed.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def paths_lead_back(t: Trial) -> None:
    folder = t.name("a b%20[c]")
    await t.seed_file(f"{folder}/sub ü/file 1+2.txt")
    await t.seed_file(f"{folder}/file#?.txt")
    for file in await collect(t.store.list_files("", recursive=True)):
        path = file.path.as_posix()
        there = await t.store.is_file(path)
        expect(there is True, "a listed path leads to no file", observed=path)
        name = path.rpartition("/")[2]
        expect(file.name == name, "a file's name is not the last segment", observed=file.name)
    for entry in await collect(t.store.list_folders("", max_depth=1)):
        path = entry.path.as_posix()
        there = await t.store.is_folder(path)
        expect(there is True, "a listed path leads to no folder", observed=path)
    found = await paths_of(folder, t.store.list_files("", recursive=True, pattern="file *.txt"))
    lists("list_files(pattern='file *.txt')", found, ["sub ü/file 1+2.txt"])


@clause(
    "LIST-009",
    "iter_children gives the files as FileInfo and the subfolders as FolderEntry, each once.",
    intent="It is one request where two listings are two.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def children(t: Trial) -> None:
    folder = await _seed_tree(t)
    expected = [name for name in _TREE if "/" not in name] + [*_FOLDERS]
    own: Callable[[str], Any] | None = getattr(t.backend, "iter_children", None)
    # The backend's own first: a store stumbles over an entry of the wrong kind.
    listings: list[Callable[[], Any]] = [lambda: t.store.iter_children(folder)]
    if own is not None:
        listings.insert(0, partial(own, t.key(folder)))
    for listing in listings:
        entries: list[Any] = await collect(listing())
        lists("iter_children", [entry.name for entry in entries], expected)
        for entry in entries:
            kind = FolderEntry if entry.name in _FOLDERS else FileInfo
            expect(
                isinstance(entry, kind),
                "iter_children yields an entry of the wrong kind",
                observed=entry,
                expected=kind.__name__,
            )


@clause(
    "LIST-010",
    "A listing that waits for its consumer, or is left early, blocks nobody.",
    intent="The consumer often deletes what it lists, or stops at the first entry.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def blocks_nobody(t: Trial) -> None:
    folder = await _seed_tree(t)
    for what in ("list_files", "list_folders", "iter_children"):
        listing = getattr(t.store, what)(folder)
        await anext(listing)
        await _works(t, f"while a {what} waits for its consumer")
        await t.within(listing.aclose(), f"aclose of a {what}")
        await _works(t, f"after a {what} was left early")


async def _works(t: Trial, when: str) -> None:
    path = t.name("other")
    await t.within(t.store.exists(path), f"exists {when}")
    await t.within(collect(t.store.list_files("")), f"another listing {when}")
    if t.declares(C.WRITE):
        await t.within(t.store.write(path, b"x"), f"a write {when}")
        if t.declares(C.DELETE):
            await t.within(t.store.delete(path), f"a delete {when}")


@clause(
    "LIST-011",
    "Size, time, ETag and digest in a listing are those of get_file_info, or None where a "
    "listing does not fetch them.",
    intent="Synchronising programs decide by what a listing says.",
    requires=[C.LIST, C.METADATA],
    needs=[Need.SEED],
)
async def agrees_with_info(t: Trial) -> None:
    folder = await _seed_tree(t)
    with far_from_utc():
        found = await collect(t.store.list_files(folder, recursive=True))
    for file in found:
        info = await t.store.get_file_info(file.path.as_posix())
        seen = (file.size, file.modified_at)
        unknown = file.modified_at == UNKNOWN_TIME
        expected = (info.size, file.modified_at if unknown else info.modified_at)
        expect(
            seen == expected,
            "a listing gives another size or time than get_file_info",
            observed=seen,
            expected=expected,
        )
        for name in ("etag", "digest"):
            listed, told = getattr(file, name), getattr(info, name)
            expect(
                listed in (None, told),
                f"a listing gives another {name} than get_file_info",
                observed=listed,
                expected=told,
            )


@clause(
    "LIST-012",
    "Keys that are no paths, which others have put into the storage, are left out of listings with "
    "one warning for each call, whose record has names_left_out=True; no key is listed under "
    "another name. Markers of folders, which end with one slash, need no warning.",
    intent="A store cannot address 'a//b', and 'a/b' is another file.",
    requires=[C.LIST],
    needs=[Need.SEED],
)
async def foreign_keys(t: Trial) -> None:
    plant = getattr(t.probe, "plant", None)
    if plant is None:
        # Where folders are real there are no such keys, as a rule.
        kind = Inapplicable if t.is_a(Trait.HIERARCHICAL) else Unverified
        msg = "the target offers no probe with a method plant"
        raise kind(msg)
    for tails, content, warned in (
        (("//lead", "/a//b", "/trail/", "/sub//b"), b"foreign", True),
        (("/photos/",), b"", False),
    ):
        folder = t.name("folder")
        for tail in tails:
            await plant(t.key(folder) + tail, content)
        await _leaves_out(t, folder, warned=warned)


async def _leaves_out(t: Trial, folder: str, *, warned: bool) -> None:
    """State that listings of a folder give what is put there now, and warn of the rest."""
    good = [f"{folder}/good", f"{folder}/sub/good"]
    for path in good:
        await t.seed_file(path)
    listings: dict[str, Callable[[], AsyncIterator[Any]]] = {
        "list_files(recursive=True)": lambda: t.store.list_files(folder, recursive=True),
        "list_files": lambda: t.store.list_files(folder),
        "iter_children": lambda: t.store.iter_children(folder),
    }
    if t.declares(C.GLOB):
        listings["glob"] = lambda: t.store.glob(f"{folder}/**/*")
    for what, listing in listings.items():
        with _warnings() as told:
            found = [e for e in await collect(listing()) if isinstance(e, FileInfo)]
        deep = "recursive" in what or what == "glob"
        lists(
            f"a {what} beside keys that are no paths",
            [f.path.as_posix() for f in found],
            good if deep else good[:1],
        )
        # At one level a service may not even mention them.
        expect(
            len(told) == 1 if deep and warned else len(told) <= 1,
            f"a {what} that leaves keys out does not say so once",
            observed=[record.getMessage() for record in told],
            expected="one warning in the log",
        )
        expect(
            all(getattr(record, "names_left_out", False) for record in told),
            f"the warning of a {what} that leaves keys out looks like any other",
            observed=[record.getMessage() for record in told],
            expected="a record with names_left_out=True",
        )


@contextlib.contextmanager
def _warnings() -> Iterator[list[logging.LogRecord]]:
    """Collect the warnings that are logged during a block."""
    told: list[logging.LogRecord] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING and record.name != "asyncio":
                told.append(record)

    handler = Handler()
    logging.getLogger().addHandler(handler)
    try:
        yield told
    finally:
        logging.getLogger().removeHandler(handler)
