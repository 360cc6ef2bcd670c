"""The scenes in which operations are called: how they are set, looked at and spoilt."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, frozen

from remote_store.aio import AsyncStore
from remote_store_conformance.contract.kinds import Need, Trait
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.operations import OLD, Operation, Scene, State

__all__ = ["Wrong", "look", "repair", "set_scene", "shown_state", "wrong_scenes"]


async def set_scene(
    t: Trial, op: Operation | None = None, *, old: bytes = OLD, store: AsyncStore | None = None
) -> Scene:
    """
    Set a scene with names that were never used, and return it.

    Where nothing can be put there, its files are missing.

    Args:
        t: The run.
        op: The call that it is for; only what that one uses is put there.
        old: Content of its file.
        store: Where, if not in the run's own store.
    """
    folder = t.name("folder")
    scene = Scene(
        t.name("file"), t.name("other"), folder, f"{folder}/inner", t.name("free"), old=old
    )
    if op is not None:
        scene = evolve(scene, set=op.uses)
    await repair(t, scene, store=store)
    return scene


async def repair(
    t: Trial, scene: Scene, changed: State | None = None, *, store: AsyncStore | None = None
) -> None:
    """Put the files of a scene there again: all of them, or those that *changed* names."""
    if not t.can(Need.SEED):
        return
    for path, content in scene.state.items():
        if content is not None and (changed is None or path in changed):
            await t.seed_file(path, content, store=store)


async def look(t: Trial, scene: Scene) -> State:
    """Return what is now at the paths of a scene."""
    return {path: await t.peek(path) for path in scene.state}


def shown_state(state: State) -> str:
    """Return what is where, as text."""
    return ", ".join(
        f"{path}: {'nothing' if content is None else f'{len(content)} bytes'}"
        for path, content in state.items()
    )


@frozen
class Wrong:
    """
    A scene in which an operation meets something else than it needs.

    Args:
        what: The call, for messages.
        scene: The scene.
        names: Paths that an error may be about.
    """

    what: str
    scene: Scene
    names: tuple[str, ...]


def wrong_scenes(t: Trial, op: Operation, scene: Scene) -> Iterator[Wrong]:
    """
    Yield scenes with one path replaced: by a missing one, another kind, or one below a file.

    An operation need not fail in them: a question answers, and so do listings.
    """
    for name in op.uses:
        for what, path in _instead(t, scene, name, target=name == op.target):
            changed = scene.with_path(name, path)
            names = (*op.paths(changed), scene.other)
            yield Wrong(f"{op} with {what} as its {op.role(name)}", changed, names)


def _instead(t: Trial, scene: Scene, name: str, *, target: bool) -> Iterator[tuple[str, str]]:
    if not target:
        yield "a missing path", t.name("missing")
        yield "a path below a file", f"{scene.other}/x"
        yield ("a file", scene.other) if name == "folder" else ("a folder", scene.folder)
        return
    if name == "free":
        yield "an existing file", scene.other
    if t.is_a(Trait.EXCLUSIVE):
        yield "a folder", scene.folder
        yield "a path below a file", f"{scene.other}/x"
