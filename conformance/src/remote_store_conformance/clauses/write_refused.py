"""WRITE: what must not be written, and that it is refused before the content is touched."""

from __future__ import annotations

import io
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from remote_store import AlreadyExists, Capability, InvalidPath, RemoteStoreError
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import expect, raises
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.operations import declared
from remote_store_conformance.tools.scenes import set_scene
from remote_store_conformance.tools.sources import Source

C = Capability

#: Bytes that may be gathered before it is known whether a stream is refused: one block.
_BLOCK: Final = 8 << 20


@clause(
    "WRITE-005",
    "Writing to a folder raises InvalidPath, whatever overwrite says, and touches nothing.",
    intent="A folder is never replaced by a file.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    only=[Trait.EXCLUSIVE],
)
async def over_a_folder(t: Trial) -> None:
    folder = t.name("folder")
    await t.seed_file(f"{folder}/file", b"inside")
    await _both_refuse(t, folder, "where a folder is")


@clause(
    "WRITE-006",
    "Writing below a file raises InvalidPath and touches nothing.",
    intent="A file has nothing below it, however deep the path goes on.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    only=[Trait.EXCLUSIVE],
)
async def below_a_file(t: Trial) -> None:
    path = await t.seed_file(t.name("file"), b"file")
    await _both_refuse(t, f"{path}/below", "below a file")
    await _both_refuse(t, f"{path}/far/below", "far below a file")


async def _both_refuse(t: Trial, path: str, where: str) -> None:
    async with t.unchanged(f"by a write {where}"):
        for overwrite in (False, True):
            with raises(InvalidPath, f"by a write {where}, with overwrite={overwrite}"):
                await t.store.write(path, b"new", overwrite=overwrite)
            source = Source()
            with raises(InvalidPath, f"by a stream written {where}, with overwrite={overwrite}"):
                await t.store.write(path, source.open(), overwrite=overwrite)


@clause(
    "WRITE-010",
    "Content that is neither bytes nor made of bytes raises TypeError, and nothing is written.",
    intent="Text needs an encoding, and only the caller knows which.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def wrong_types(t: Trial) -> None:
    path = await t.seed_file(t.name(), b"old")

    async def text() -> AsyncIterator[Any]:
        yield b"bytes, "
        yield "text"

    wrong: dict[str, Any] = {
        "str": "text",
        "None": None,
        "an int": 7,
        "a list of str": ["text"],
        "a text file": io.StringIO("text"),
    }
    async with t.unchanged("by content of a wrong type"):
        for what, content in wrong.items():
            with raises(TypeError, f"when {what} is written through a store"):
                await t.store.write(path, content, overwrite=True)
        with raises(TypeError, "when a stream that also yields str is written through a store"):
            await t.store.write(path, text(), overwrite=True)
        backend: Any = t.backend
        for what, content in {"str": "text", "a stream that also yields str": text()}.items():
            with raises(TypeError, f"when the backend itself gets {what}"):
                await backend.write(t.key(path), content, overwrite=True)


@clause(
    "WRITE-012",
    "Names that start with '.~tmp.' are refused as targets with InvalidPath.",
    intent="They are reserved for temporary files, which are hidden and swept away.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
)
async def reserved_names(t: Trial) -> None:
    scene = await set_scene(t)
    reserved = f"{t.name('folder')}/.~tmp.file.1"
    async with t.unchanged("by a target with a reserved name"):
        for op in declared(t):
            if op.target is not None:
                with raises(InvalidPath, f"when {op} has a target with a reserved name"):
                    await op.perform(t.store, scene.with_path(op.target, reserved), Source())


@clause(
    "WRITE-014",
    "A write that is refused for what is there takes at most one block from its source.",
    intent="A source of gigabytes must not be read, or sent, for nothing.",
    requires=[C.WRITE],
)
async def refused_early(t: Trial) -> None:
    path = await t.seed_file(t.name("file"), b"old")
    chunk = b"x" * (1 << 20)
    cases: list[tuple[str, str, type[RemoteStoreError]]]
    cases = [("on an existing file", path, AlreadyExists)]
    if t.is_a(Trait.EXCLUSIVE):
        cases += [("below a file", f"{path}/below", InvalidPath)]
        folder = t.name("folder")
        await t.seed_file(f"{folder}/file")
        cases += [("to a folder", folder, InvalidPath)]
    writes: list[tuple[str, Callable[..., Awaitable[Any]]]] = [("a write", t.store.write)]
    if t.declares(C.ATOMIC_WRITE):
        writes.append(("an atomic write", t.store.write_atomic))
    for (where, target, error), (what, write) in itertools.product(cases, writes):
        source = Source([chunk] * 24)
        with raises(error, f"by {what} of a stream {where}"):
            await write(target, source.open())
        pulled = source.pulled * len(chunk)
        expect(
            pulled <= _BLOCK,
            f"{what} {where} took too much from its source before it was refused",
            observed=f"{pulled} bytes",
            expected=f"at most {_BLOCK} bytes",
        )
