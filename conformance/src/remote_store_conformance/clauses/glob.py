"""GLOB: globbing by the backend itself."""

from __future__ import annotations

from typing import Final

from remote_store import Capability, GlobPattern, InvalidPath
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.operations import settle_call

C = Capability

_FILES: Final = (
    "top.csv",
    ".hidden.csv",
    "a/1.csv",
    "a/2.txt",
    "a/b/3.csv",
    "a/b/c/4.csv",
    "ab/5.csv",
    "a[1]/6.csv",
    "x y/ü.csv",
    "A/7.CSV",
)

_PATTERNS: Final = (
    "*",
    "*.csv",
    "**",
    "**/*",
    "**/*.csv",
    "a/*",
    "a/**",
    "a/**/*.csv",
    "*/*.csv",
    "*/b/*",
    "a*/*.csv",
    "?/?.csv",
    "[ab]/*",
    "[!a]/*",
    "a[[]1]/*",
    "a[1]/*",
    "**/b/**/4.csv",
    "a/1.csv",
    "a/b",
    "A/*",
    "x y/*",
    "missing/*",
    "missing/**/*.csv",
    "a/1.csv/*",
)


async def _seed(t: Trial, folder: str) -> None:
    for name in _FILES:
        await t.seed_file(f"{folder}/{name}", name.encode())


@clause(
    "GLOB-001",
    "glob gives exactly the files whose path matches as GlobPattern says, each once.",
    intent="A pattern means the same on every backend.",
    requires=[C.GLOB],
    needs=[Need.SEED],
)
async def one_language(t: Trial) -> None:
    folder = t.name("data")
    await _seed(t, folder)
    store = t.store.child(folder)
    for pattern in _PATTERNS:
        matches = GlobPattern.parse(pattern).matches
        expected = sorted(name for name in _FILES if matches(name))
        found = sorted([file.path.as_posix() for file in await collect(store.glob(pattern))])
        expect(
            found == expected,
            f"glob({pattern!r}) does not give the files that match",
            observed=found,
            expected=expected,
        )


@clause(
    "GLOB-002",
    "Characters in the root of a store are no pattern: a glob stays below the root.",
    intent="A store's folder may be called anything, and its neighbours are not its business.",
    requires=[C.GLOB],
    needs=[Need.SEED],
)
async def root_is_literal(t: Trial) -> None:
    stem = t.name("data")
    for folder, neighbour in (
        (f"{stem}[ab]", f"{stem}a"),
        (f"{stem}*", f"{stem}-beside"),
        (f"{stem}?", f"{stem}x"),
    ):
        await t.seed_file(f"{folder}/own.csv")
        await t.seed_file(f"{neighbour}/foreign.csv")
        found = [f.path.as_posix() for f in await collect(t.store.child(folder).glob("**/*.csv"))]
        expect(
            found == ["own.csv"],
            f"a glob in a store whose root is called {folder!r} is wrong",
            observed=found,
            expected=["own.csv"],
        )


@clause(
    "GLOB-003",
    "A backend refuses a pattern with a '..' segment or a NUL with InvalidPath, and one with a "
    "misplaced '**' with ValueError.",
    intent="A pattern that can match nothing is a mistake, and must not leave its folder.",
    requires=[C.GLOB],
)
async def malformed_patterns(t: Trial) -> None:
    for pattern, error in (
        (f"{t.prefix}/../*", InvalidPath),
        (f"{t.prefix}/a\0*", InvalidPath),
        (f"{t.prefix}/**x", ValueError),
    ):
        with raises(error, f"when the backend gets the pattern {pattern!r}"):
            await settle_call(t.backend.glob(pattern))
        with raises(error, f"when the store gets the pattern {pattern!r}"):
            t.store.glob(pattern)


@clause(
    "GLOB-004",
    "A glob that meets no file gives nothing and no error, and folders never match.",
    intent="No match is an answer.",
    requires=[C.GLOB],
    needs=[Need.SEED],
)
async def no_match(t: Trial) -> None:
    folder = t.name("data")
    path = await t.seed_file(f"{folder}/sub/file")
    for what, pattern in (
        ("in a missing folder", "missing/*"),
        ("deep in a missing folder", "missing/deep/**"),
        ("below a file", f"{path}/*"),
        ("that only a folder matches", f"{folder}/*"),
        ("that is the path of a folder", folder),
    ):
        found = await collect(t.store.glob(pattern))
        expect(not found, f"a glob {what} gives something", observed=found, expected=[])


@clause(
    "GLOB-005",
    "What a glob yields is what list_files yields for the same files.",
    intent="A program may take either, and gets the same facts.",
    requires=[C.GLOB, C.LIST],
    needs=[Need.SEED],
)
async def agrees_with_listing(t: Trial) -> None:
    folder = t.name("data")
    await _seed(t, folder)

    def facts(files: list[object]) -> list[tuple[object, ...]]:
        names = ("path", "name", "size", "modified_at")
        found = [tuple(getattr(file, name, None) for name in names) for file in files]
        return sorted(found, key=str)

    globbed = facts([*await collect(t.store.glob(f"{folder}/**"))])
    listed = facts([*await collect(t.store.list_files(folder, recursive=True))])
    differing = [pair for pair in zip(globbed, listed, strict=False) if pair[0] != pair[1]]
    expect(
        globbed == listed,
        "a glob and a listing say different things about the same files",
        observed=differing[0][0] if differing else f"{len(globbed)} files",
        expected=differing[0][1] if differing else f"{len(listed)} files",
    )
