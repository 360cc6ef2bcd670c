"""PATH: keys that a backend gets when it is called directly, without a store."""

from __future__ import annotations

from typing import Any

from remote_store import Capability, InvalidPath
from remote_store_conformance.contract import Need, clause
from remote_store_conformance.expect import expect, raises
from remote_store_conformance.refusal import settle_call
from remote_store_conformance.sources import Source
from remote_store_conformance.trial import Trial, collect

C = Capability


@clause(
    "PATH-002",
    "A backend that is called directly refuses a leading slash, a '..' segment and a NUL "
    "with InvalidPath before any I/O.",
    intent="Adapters call backends without a store, and a key must never leave its place.",
)
async def malformed_keys(t: Trial) -> None:
    inside = t.key(t.name("inside"))
    if t.can(Need.SEED):
        await t.seed_file(inside.removeprefix(f"{t.prefix}/"), b"here")
    before = t.meter.read() if t.meter else None
    for what, bad in (
        ("a '..' segment", f"{t.prefix}/folder/../{inside.rpartition('/')[2]}"),
        ("a '..' at the end", f"{inside}/.."),
        ("a leading slash", f"/{inside}"),
        ("a NUL", f"{inside}\0"),
    ):
        for name, arguments in _calls(t, bad, inside):
            source = Source()
            given = [source.open() if a is Source else a for a in arguments]
            with raises(InvalidPath, f"when {name} gets a key with {what}"):
                await settle_call(getattr(t.backend, name)(*given))
            expect(
                source.untouched,
                f"{name} took from the content before it refused a key with {what}",
                observed=f"{source.pulled} chunks pulled",
            )
    if before is not None and t.meter is not None:
        sent = (t.meter.read() - before).sent
        expect(sent == 0, "keys were refused after the service was asked", observed=sent)


def _calls(t: Trial, bad: str, good: str) -> list[tuple[str, tuple[Any, ...]]]:
    """Return calls of the backend with a bad key; those that change nothing come first."""
    calls: list[tuple[str, tuple[Any, ...]]] = [
        (name, (bad,)) for name in ("exists", "is_file", "is_folder")
    ]
    gated: list[tuple[Capability, str, tuple[Any, ...]]] = [
        (C.READ, "read", (bad,)),
        (C.READ, "read_bytes", (bad,)),
        (C.METADATA, "get_file_info", (bad,)),
        (C.METADATA, "get_folder_info", (bad,)),
        (C.LIST, "list_files", (bad,)),
        (C.LIST, "list_folders", (bad,)),
        (C.WRITE, "write", (bad, Source)),
        (C.ATOMIC_WRITE, "write_atomic", (bad, Source)),
        (C.COPY, "copy", (bad, f"{good}-2")),
        (C.COPY, "copy", (good, bad)),
        (C.MOVE, "move", (bad, f"{good}-2")),
        (C.MOVE, "move", (good, bad)),
        (C.DELETE, "delete", (bad,)),
        (C.DELETE, "delete_folder", (bad,)),
    ]
    return calls + [(name, arguments) for gate, name, arguments in gated if t.declares(gate)]


@clause(
    "PATH-008",
    "To a backend called directly, '' and '.' are its root, which is a folder.",
    intent="Both spellings reach a backend, from stores without a root and from adapters.",
    needs=[Need.SEED],
)
async def root_spellings(t: Trial) -> None:
    await t.seed_file(t.name("file"))
    top = t.prefix.partition("/")[0]
    backend: Any = t.backend
    for root in ("", "."):
        found = (
            await backend.exists(root),
            await backend.is_file(root),
            await backend.is_folder(root),
        )
        expect(
            found == (True, False, True),
            f"exists, is_file and is_folder do not tell that {root!r} is the root",
            observed=found,
            expected=(True, False, True),
        )
        if t.declares(C.LIST):
            names = [entry.name for entry in await collect(backend.list_folders(root))]
            expect(
                top in names,
                f"list_folders({root!r}) does not list the root of the backend",
                observed=names,
                expected=top,
            )


@clause(
    "PATH-011",
    "To a backend called directly, the root is no file: operations on files refuse every "
    "spelling of it with InvalidPath, and targets before anything is read.",
    intent="An empty path is a program's mistake, and must not reach the storage.",
)
async def root_is_no_file(t: Trial) -> None:
    backend: Any = t.backend
    missing = t.key(t.name("missing"))
    calls: list[tuple[Capability, str, tuple[Any, ...]]] = []
    for root in ("", "."):
        calls += [
            (C.READ, "read", (root,)),
            (C.READ, "read_bytes", (root,)),
            (C.METADATA, "get_file_info", (root,)),
            (C.DELETE, "delete", (root,)),
        ]
    for root in ("", ".", "./", ".//", "/"):
        calls += [
            (C.WRITE, "write", (root, Source)),
            (C.ATOMIC_WRITE, "write_atomic", (root, Source)),
            (C.MOVE, "move", (missing, root)),
            (C.COPY, "copy", (missing, root)),
        ]
    for gate, name, arguments in calls:
        if t.declares(gate):
            source = Source()
            given = [source.open() if a is Source else a for a in arguments]
            shown = ", ".join("content" if a is Source else repr(a) for a in arguments)
            with raises(InvalidPath, f"by {name}({shown}), where the root is no file"):
                await settle_call(getattr(backend, name)(*given))
            expect(source.untouched, f"{name}({shown}) took from the content before it refused")
