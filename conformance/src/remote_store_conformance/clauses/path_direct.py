"""PATH: keys that a backend gets when it is called directly, without a store."""

from __future__ import annotations

from typing import Any

from remote_store import Capability, InvalidPath
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.tools.operations import Form, Operation, declared
from remote_store_conformance.tools.scenes import set_scene
from remote_store_conformance.tools.sources import Source

C = Capability


@clause(
    "PATH-002",
    "A backend that is called directly refuses a leading slash, a '..' segment, a backslash and a "
    "NUL with InvalidPath before any I/O.",
    intent="Adapters call backends without a store, and a key must never leave its place.",
)
async def malformed_keys(t: Trial) -> None:
    scene = (await set_scene(t)).through(t.key)
    before = t.meter.read() if t.meter else None
    for op in _direct(t):
        for name in op.uses:
            for what, bad in _malformed(t, getattr(scene, name)).items():
                source = Source()
                with raises(
                    InvalidPath, f"when {op} gets a key with {what} as its {op.role(name)}"
                ):
                    await op.perform(t.backend, scene.with_path(name, bad), source)
                expect(
                    source.untouched,
                    f"{op} took from the content before it refused a key with {what}",
                    observed=f"{source.pulled} chunks pulled",
                )
    if before is not None and t.meter is not None:
        sent = (t.meter.read() - before).sent
        expect(sent == 0, "keys were refused after the service was asked", observed=sent)


def _direct(t: Trial) -> list[Operation]:
    """Return the declared operations that the backend itself has."""
    return [op for op in declared(t) if op.direct(t)]


def _malformed(t: Trial, key: str) -> dict[str, str]:
    return {
        "a '..' segment": f"{t.prefix}/folder/../{key.rpartition('/')[2]}",
        "a '..' at the end": f"{key}/..",
        "a leading slash": f"/{key}",
        "a backslash": f"{key}\\name",
        "a NUL": f"{key}\0",
    }


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
            f"exists, is_file and is_folder do not say that {root!r} is the root",
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
    "To a backend called directly, the root is not a file: operations on files refuse every "
    "spelling of it with InvalidPath, and targets before anything is read.",
    intent="An empty path is a program's mistake, and must not reach the storage.",
)
async def root_is_no_file(t: Trial) -> None:
    scene = (await set_scene(t)).through(t.key)
    for op in _direct(t):
        if op.form is Form.FOLDER or (op.form is Form.QUESTION and not op.needs):
            # It is about the root as well.
            continue
        for name in op.uses:
            if name == "folder":
                continue
            target = name == op.target
            # The root is no target whatever the source is.
            seen = scene.with_path("file", t.key(t.name("missing"))) if target else scene
            for root in ("", ".", "./", ".//", "/") if target else ("", "."):
                source = Source()
                what = f"by {op} with {root!r} as its {op.role(name)}, where the root is not a file"
                with raises(InvalidPath, what):
                    await op.perform(t.backend, seen.with_path(name, root), source)
                expect(source.untouched, f"{op} took from the content before it refused {root!r}")
