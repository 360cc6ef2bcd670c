"""PATH: which names there are, and that nothing is done to them."""

from __future__ import annotations

from typing import Any, Final

from remote_store import Capability, InvalidPath, RemotePath, RemoteStoreError
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial, collect

C = Capability

#: Every one of these is an ordinary name.
_NAMES: Final = (
    "a b",
    "a+b",
    "a%20b",
    "a%2Fb",
    "100%",
    "a#b",
    "a?b",
    "a&b=c",
    "a[b]",
    "a{b}",
    "(a)",
    "it's",
    'say "a"',
    "a;b,c@d!e$f^g`h",
    "a..b",
    "..a",
    ".hidden",
    "~a",
    "-a",
    "a.tar.gz",
    "日本語",
    "🚀",
    "e\u0301",
    "Straße",
)

#: Names that some storage cannot keep.
_AWKWARD: Final = (
    "a*b",
    "a<b>c",
    "a|b",
    "a:b",
    "con",
    "...",
    "a.",
    "a ",
    " a",
    "a\tb",
    "a\nb",
    "a\x01b",
    "a\x7fb",
    "a\u0085b",
    "a\ufffeb",
    "\ud800a",
)


@clause(
    "PATH-001",
    "Every spelling of a path names the same file, and results carry its normal form.",
    intent="Programs compare and join the paths that they get back.",
    needs=[Need.SEED],
)
async def normal_form(t: Trial) -> None:
    folder = t.name("folder")
    path = f"{folder}/file"
    key = t.key(path)
    backend: Any = t.backend
    if t.declares(C.WRITE):
        # Not through the store: it would stumble over the path first.
        _has_path("the result of a write", await backend.write(key, b"one"), key)
    else:
        await t.seed_file(path)
    for spelling in (
        f"/{path}",
        f"./{path}",
        f"{path}/",
        f"{folder}//file",
        f"{folder}/./file",
        f"{folder}\\file",
    ):
        found = await t.store.is_file(spelling)
        expect(found is True, f"{spelling!r} does not name the file {path!r}", observed=found)
    if t.declares(C.METADATA):
        _has_path("the answer of get_file_info", await backend.get_file_info(key), key)
        info = await backend.get_folder_info(t.key(folder))
        _has_path("the answer of get_folder_info", info, t.key(folder))
    if t.declares(C.LIST):
        for file in await collect(backend.list_files(t.key(folder))):
            _has_path("an entry of list_files", file, key)
        entries = await collect(backend.list_folders(t.prefix))
        for entry in entries:
            _has_path("an entry of list_folders", entry, t.key(folder))


def _has_path(what: str, result: object, key: str) -> None:
    path = getattr(result, "path", None)
    expect(
        isinstance(path, RemotePath) and path.as_posix() == key,
        f"the path in {what} is not the key",
        observed=f"{path!s} in {result!r}",
        expected=key,
    )


@clause(
    "PATH-003",
    "Characters that are special elsewhere (space % + # ? & brackets quotes, dots, any Unicode) "
    "are ordinary in names, which come back unchanged.",
    intent="Names come from users; escaping them is the backend's task.",
    needs=[Need.SEED, Need.PEEK],
)
async def ordinary_characters(t: Trial) -> None:
    folder = t.name("folder")
    for name in _NAMES:
        await t.seed_file(f"{folder}/{name}", name.encode())
    for name in _NAMES:
        path = f"{folder}/{name}"
        there = await t.store.is_file(path)
        expect(there is True, f"a file called {name!r} is not found under its name")
        content = await t.peek(path)
        expect(
            content == name.encode(),
            f"under the name {name!r} lies something else",
            observed=content,
            expected=name.encode(),
        )
    if t.declares(C.LIST):
        listed = sorted([file.name for file in await collect(t.store.list_files(folder))])
        wrong = sorted(set(listed) ^ set(_NAMES))
        expect(
            listed == sorted(_NAMES),
            "a listing does not give names back as they were given",
            observed=wrong or "the same name twice",
            expected="the names that were written",
        )


@clause(
    "PATH-004",
    "Names that differ only in their Unicode normal form are different files.",
    intent="After a name was rewritten its writer cannot find the file, or has replaced another.",
    needs=[Need.SEED, Need.PEEK],
)
async def unicode_forms(t: Trial) -> None:
    stem = t.name("form")
    composed, decomposed = f"{stem}-\u00e9", f"{stem}-e\u0301"
    await _are_two_files(t, composed, decomposed, "that differ in their Unicode normal form")


@clause(
    "PATH-005",
    "A name or path too long for the storage raises a RemoteStoreError and stores nothing; "
    "otherwise it works unchanged.",
    intent="The limits differ from storage to storage, and a cut name is a lost file.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def long_paths(t: Trial) -> None:
    segment, path = t.name("long"), t.name("deep")
    for long in (
        segment.ljust(255, "x"),
        segment.ljust(256, "y"),
        segment.ljust(1100, "z"),
        "/".join([path, *["d" * 50] * 30]),
    ):
        length = f"a path of {len(long)} characters in {long.count('/') + 1} segments"
        try:
            await t.store.write(long, b"long")
        except RemoteStoreError as error:
            t.note(**{f"refused_{len(long)}": f"{type(error).__name__}"})
            stored = [name for name in await t.names() if name[:20] == long[:20]]
            expect(not stored, f"{length} was refused, yet stored", observed=stored)
        else:
            content = await t.peek(long)
            expect(
                content == b"long",
                f"{length} was accepted, but is not there",
                observed=await t.names(),
                expected=long,
            )
            await t.store.write(long, b"long", overwrite=True)
        try:
            await t.store.exists(f"{long}q")
        except RemoteStoreError:
            t.note(**{f"exists_refused_{len(long)}": True})


@clause(
    "PATH-006",
    "Names keep their case, and names that differ only in case are different files.",
    intent="A program written for one backend must not lose files on another.",
    needs=[Need.SEED, Need.PEEK],
)
async def case(t: Trial) -> None:
    stem = t.name("case")
    await _are_two_files(t, f"{stem}-Name", f"{stem}-name", "that differ only in case")


async def _are_two_files(t: Trial, one: str, other: str, how: str) -> None:
    await t.seed_file(one, b"one")
    there = await t.store.exists(other)
    expect(there is False, f"one of two names {how} is found under the other", observed=there)
    await t.seed_file(other, b"other")
    found = (await t.peek(one), await t.peek(other))
    expect(
        found == (b"one", b"other"),
        f"two names {how} are not two files",
        observed=found,
        expected=(b"one", b"other"),
    )
    if t.declares(C.LIST):
        listed = sorted([file.name for file in await collect(t.store.list_files(""))])
        expect(
            listed == sorted([one, other]),
            f"two names {how} are not listed as they were given",
            observed=listed,
            expected=sorted([one, other]),
        )


@clause(
    "PATH-007",
    "A path is never taken for a pattern.",
    intent="Deleting a file called 'a*' must not delete 'ab'.",
    needs=[Need.SEED],
)
async def no_pattern(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/ab", b"bystander")
    for pattern in (
        f"{folder}/a*",
        f"{folder}/a?",
        f"{folder}/[a]b",
        f"{folder[:-1]}*/ab",
        f"{folder[:-1]}*",
    ):
        found = (await t.store.exists(pattern), await t.store.is_file(pattern))
        expect(
            found == (False, False),
            f"a missing path with wildcards is said to exist: {pattern!r}",
            observed=found,
            expected=(False, False),
        )
        if t.declares(C.LIST):
            listed = await collect(t.store.list_files(pattern, recursive=True))
            expect(not listed, f"listing the missing folder {pattern!r} matched", observed=listed)
        if t.declares(C.DELETE):
            await t.store.delete(pattern, missing_ok=True)
            await t.store.delete_folder(pattern, recursive=True, missing_ok=True)
        left = await t.store.is_file(f"{folder}/ab")
        expect(left is True, f"deleting the missing path {pattern!r} deleted something else")


@clause(
    "PATH-009",
    "to_key undoes native_path, resolve agrees with it, and different paths have different ones.",
    intent="Native paths go to other tools and come back.",
)
async def native_paths(t: Trial) -> None:
    paths = ["", "a", "a/b", "ab", *(f"folder/{name}" for name in _NAMES)]
    seen: dict[str, str] = {}
    for path in paths:
        native = t.store.native_path(path)
        back = t.store.to_key(native)
        expect(
            back == path,
            f"to_key(native_path(path)) is not the path, by way of {native!r}",
            observed=back,
            expected=path,
        )
        expect(
            native not in seen,
            "two paths have one native path",
            observed=f"{native!r} for {path!r} and {seen.get(native)!r}",
        )
        seen[native] = path
        planned = t.store.resolve(path).native_path
        expect(
            planned == native,
            f"resolve and native_path disagree on {path!r}",
            observed=planned,
            expected=native,
        )


@clause(
    "PATH-010",
    "A name that the storage cannot keep unchanged is refused with InvalidPath.",
    intent="A name rewritten by the service is a file that nobody finds again.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def awkward_names(t: Trial) -> None:
    folder = t.name("folder")
    kept = []
    for name in _AWKWARD:
        path = f"{folder}/{name}"
        before = await t.names()
        try:
            await t.store.write(path, b"awkward")
        except InvalidPath:
            after = await t.names()
            expect(after == before, f"the name {name!r} was refused, yet stored", observed=after)
            continue
        except Exception as error:
            with raises(InvalidPath, f"when a file is called {name!r}"):
                raise error
        kept.append(name)
        content = await t.peek(path)
        expect(
            content == b"awkward",
            f"a file called {name!r} is not there under this name",
            observed=await t.names(),
            expected=path,
        )
    if t.declares(C.LIST):
        listed = sorted([file.name for file in await collect(t.store.list_files(folder))])
        expect(
            listed == sorted(kept),
            "a listing does not give awkward names back as they were given",
            observed=sorted(set(listed) ^ set(kept)),
        )
    t.note(refused=[ascii(name) for name in _AWKWARD if name not in kept])
