"""LIST and FAULT: what goes over more than one page of the service."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

from remote_store import Capability, RemoteStoreError
from remote_store_conformance.clauses._listed import lists, names_of, paths_of
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Unverified, expect
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.targets.proxy import Fault, http_answer
from remote_store_conformance.tools.crowds import (
    USUAL,
    Crowd,
    crowds,
    entries_needed,
    fill,
    walkable,
)
from remote_store_conformance.tools.faults import broken, needs_wire

C = Capability

#: Folders among the files of a recursive delete.
_FOLDERS: Final = 20

#: More often than any retry tries.
_ALWAYS: Final = 1_000_000


def _listings(t: Trial, folder: Crowd) -> dict[str, tuple[Callable[[], Any], list[str]]]:
    """Return every listing that there is, and what it must give."""
    s, path = t.store, folder.path
    both = [*folder.files, *folder.folders]
    found: dict[str, tuple[Callable[[], Any], list[str]]] = {
        "list_files": (lambda: s.list_files(path), list(folder.files)),
        "list_files(recursive=True)": (
            lambda: s.list_files(path, recursive=True),
            folder.below,
        ),
        "list_folders": (lambda: s.list_folders(path), list(folder.folders)),
        "iter_children": (lambda: s.iter_children(path), both),
    }
    if t.declares(C.GLOB):
        found |= {
            "glob(*)": (lambda: s.glob(f"{path}/*"), list(folder.files)),
            "glob(**)": (lambda: s.glob(f"{path}/**"), folder.below),
        }
    if not walkable(t, folder):
        return found
    found["list_files(max_depth=1)"] = (lambda: s.list_files(path, max_depth=1), folder.below)
    if t.declares(C.GLOB):
        inner = [f"{name}/in" for name in folder.folders]
        found["glob(*/in)"] = (lambda: s.glob(f"{path}/*/in"), inner)
    return found


@clause(
    "LIST-005",
    "Whatever takes more than one page (each listing, glob, sum and recursive delete) takes each "
    "entry exactly once, also where a page holds only files or only folders.",
    intent="What comes after the first page is as much there as the rest.",
    requires=[C.LIST],
    needs=[Need.SEED],
    seconds=120,
)
async def pages(t: Trial) -> None:
    for folder in await crowds(t):
        await fill(t, folder)
        what = f"of {folder.size} entries ({folder.shape})"
        for name, (listing, expected) in _listings(t, folder).items():
            lists(f"{name} {what}", await paths_of(folder.path, listing()), expected)
        if t.declares(C.METADATA):
            info = await t.store.get_folder_info(folder.path)
            seen = (info.file_count, info.total_size)
            expect(
                seen == (len(folder.below), len(folder.below)),
                f"get_folder_info {what} counts something else than what is there",
                observed=seen,
                expected=(len(folder.below), len(folder.below)),
            )
        if t.declares(C.DELETE):
            await _deleted(t, folder, what)


async def _deleted(t: Trial, folder: Crowd, what: str) -> None:
    beside = await t.seed_file(f"{folder.path}-beside", b"x")
    await t.store.delete_folder(folder.path, recursive=True)
    left = await _below(t, folder)
    expect(
        not left,
        f"delete_folder(recursive=True) {what} left some of them",
        observed=f"{len(left)}, such as {left[:3]}",
        expected="none",
    )
    expect(
        await t.store.is_file(beside),
        f"delete_folder(recursive=True) {what} took a file beside the folder",
        observed=beside,
    )


@clause(
    "LIST-013",
    "What changes between two pages of a listing neither hides nor repeats what does not change.",
    intent="A page that is counted from the beginning shifts when something before it goes.",
    requires=[C.LIST, C.DELETE, C.WRITE],
    seconds=120,
)
async def changes_between_pages(t: Trial) -> None:
    folder = await _files(t)
    await fill(t, folder)
    # Some at the beginning go, where the listing has been, and some come there.
    gone, come = folder.files[:7], [f"entry-00000-{n}" for n in range(3)]
    changes: list[Callable[[], Awaitable[Any]]] = [
        *(_removal(t, f"{folder.path}/{name}") for name in gone),
        *(_addition(t, f"{folder.path}/{name}") for name in come),
    ]
    seen: list[str] = []
    async with contextlib.aclosing(t.store.list_files(folder.path)) as files:
        async for file in files:
            seen.append(file.name)
            # One page is on its way or here; the next is not yet asked for.
            if len(seen) == 20:
                for change in changes:
                    await change()
    stayed = [name for name in folder.files if name not in gone]
    lists(
        "a listing between whose pages something changed",
        [name for name in seen if name not in gone and name not in come],
        stayed,
    )
    lists(
        "the listing after it",
        await names_of(t.store.list_files(folder.path)),
        [*stayed, *come],
    )


async def _files(t: Trial) -> Crowd:
    """Return a folder of many files, not yet filled."""
    number = await entries_needed(t)
    return Crowd(t.name("many"), tuple(f"entry-{n:05d}" for n in range(number)))


def _removal(t: Trial, path: str) -> Callable[[], Awaitable[Any]]:
    return lambda: t.store.delete(path)


def _addition(t: Trial, path: str) -> Callable[[], Awaitable[Any]]:
    return lambda: t.store.write(path, b"x")


@clause(
    "FAULT-011",
    "A listing, glob or sum one of whose later pages fails raises or asks again; it never ends as "
    "if there were no more.",
    intent="Half a listing looks like a whole one to everybody who gets it.",
    requires=[C.LIST],
    needs=[Need.SEED],
    seconds=240,
)
async def later_page_fails(t: Trial) -> None:
    needs_wire(t)
    folder = await _files(t)
    await fill(t, folder)
    page = http_answer(200, "OK", b"<html>Please log in</html>", "Content-Type: text/html")
    seen = set()
    for what, answer in (
        ("503", http_answer(503, "Server Busy")),
        ("403", http_answer(403, "Forbidden", b"", *t.target.error_headers)),
        ("a web page", page),
    ):
        for name, (call, expected) in _of_many_pages(t, folder).items():
            # Some look before they ask for the first page.
            for number in (2, 3):
                fault = Fault("answer", answer=answer, skip=number - 1, times=_ALWAYS)
                error: RemoteStoreError | None = None
                found: object = None
                async with broken(t, fault, always=False) as wire:
                    try:
                        found = await call()
                    except RemoteStoreError as raised:
                        error = raised
                    hit = bool(wire.hits)
                expect(
                    error is not None or found == expected,
                    f"{name} whose request {number} was answered {what} ended as if there were "
                    "no more",
                    observed=_shown(found),
                    expected=f"{_shown(expected)}, or an error",
                )
                if not hit:
                    break
                seen.add(name)
    t.note(of_several_pages=sorted(seen))
    if not seen:
        msg = f"no listing of {folder.size} entries takes a second page (Target.max_list)"
        raise Unverified(msg)


def _of_many_pages(
    t: Trial, folder: Crowd
) -> dict[str, tuple[Callable[[], Awaitable[object]], object]]:
    """Return every listing and the sum, and what each must give."""

    async def total() -> object:
        info = await t.store.get_folder_info(folder.path)
        return info.file_count, info.total_size

    def listed(listing: Callable[[], Any]) -> Callable[[], Awaitable[object]]:
        return lambda: paths_of(folder.path, listing())

    found: dict[str, tuple[Callable[[], Awaitable[object]], object]] = {
        name: (listed(listing), sorted(expected))
        for name, (listing, expected) in _listings(t, folder).items()
    }
    if t.declares(C.METADATA):
        found["get_folder_info"] = total, (len(folder.below), len(folder.below))
    return found


def _shown(found: object) -> str:
    return f"{len(found)} entries" if isinstance(found, list) else repr(found)


@clause(
    "FAULT-012",
    "A recursive delete one of whose later requests fails raises, with its outcome unknown if "
    "something is gone, or finishes; what it left, the next one removes.",
    intent="Half a folder that is said to be gone, or to be untouched, is looked for by nobody.",
    requires=[C.DELETE],
    needs=[Need.SEED],
    seconds=240,
)
async def delete_breaks_off(t: Trial) -> None:
    needs_wire(t)
    # More than services usually list, or take away, at a time.
    number = min(USUAL, t.target.max_list)
    names = tuple(f"entry-{n:05d}" for n in range(number))
    folder = Crowd(t.name("many"), names[_FOLDERS:], names[:_FOLDERS])
    await fill(t, folder)
    beside = await t.seed_file(f"{folder.path}-beside", b"x")
    answer = http_answer(403, "Forbidden", b"", *t.target.error_headers)
    left, broken_off = number, []
    # Ever later: services take one file, or hundreds, with one request.
    for skip in (2**n for n in range(14)):
        fault = Fault("answer", answer=answer, skip=skip, times=_ALWAYS)
        error: RemoteStoreError | None = None
        async with broken(t, fault, always=False) as wire:
            try:
                await t.store.delete_folder(folder.path, recursive=True)
            except RemoteStoreError as raised:
                error = raised
            hit = bool(wire.hits)
        before, left = left, len(await _below(t, folder))
        what = f"delete_folder(recursive=True) whose requests after {skip} were answered 403"
        expect(
            error is not None or not left,
            f"{what} returned, and left some of the files",
            observed=f"{left} of {before} are there",
            expected="an error, or none of them",
        )
        expect(
            error is None or left == before or error.outcome_unknown,
            f"{what} removed some of the files, and its error does not say so",
            observed=f"{type(error).__name__}: {error}; {left} of {before} are there",
            expected="outcome_unknown",
        )
        broken_off += [before - left] if hit and error else []
        if not hit or not left:
            break
    t.note(entries=number, removed_before_it_broke_off=broken_off)
    await t.store.delete_folder(folder.path, recursive=True, missing_ok=True)
    still = await _below(t, folder)
    expect(
        not still,
        "delete_folder(recursive=True) after one that broke off left some of the files",
        observed=f"{len(still)}, such as {still[:3]}",
        expected="none",
    )
    expect(
        await t.store.is_file(beside),
        "delete_folder(recursive=True) that broke off took a file beside the folder",
        observed=beside,
    )
    if not broken_off:
        msg = "the service removes a folder with one request"
        raise Inapplicable(msg)


async def _below(t: Trial, folder: Crowd) -> list[str]:
    return [name for name in await t.names() if name.startswith(f"{folder.path}/")]
