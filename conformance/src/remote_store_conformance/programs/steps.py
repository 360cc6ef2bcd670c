"""The calls that random programs are made of, and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from attrs import define
from hypothesis import strategies as st

from remote_store import Capability
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.expect import shown
from remote_store_conformance.contract.trial import Trial, collect
from remote_store_conformance.programs.model import Answer, Model
from remote_store_conformance.tools.sources import Source

__all__ = [
    "PATHS",
    "Step",
    "agree",
    "changes",
    "contents",
    "delete",
    "difference",
    "flag",
    "folders",
    "listed",
    "looks",
    "outcome",
    "paths",
    "told",
    "transfer",
    "write",
]

C = Capability

#: Few and colliding: with random paths a prefix that is cut in the middle of a
#: name, and a writer that works in place, both went unseen.
PATHS: Final = ("a", "a/b", "ab", "ab/c", "ä", "a b")

#: Small contents; two bytes a chunk, so that each takes several.
CONTENTS: Final = (b"", b"1", b"four", b"sixsix")


async def outcome(call: Coroutine[Any, Any, Any]) -> Any:
    """Return what a call returns, or the error that it raises."""
    try:
        return await call
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return error


def agree(observed: Any, answer: Answer) -> bool:
    """Return True if an outcome is what the model answers."""
    if isinstance(answer, type):
        return isinstance(observed, answer)
    return not isinstance(observed, BaseException) and observed == answer


def told(outcome: Any) -> str:
    """Return an outcome or an answer as text."""
    if isinstance(outcome, type):
        return outcome.__name__
    if isinstance(outcome, BaseException):
        return f"{type(outcome).__name__}({outcome})"
    if isinstance(outcome, frozenset):
        return shown(sorted(outcome))
    return "done" if outcome is None else shown(outcome)


@define
class Step:
    """
    One call: what it is called, how to make it, and what the model says.

    Args:
        text: The call.
        needs: Capabilities that it needs.
        call: Makes it.
        play: Plays it on a model.
    """

    text: str
    needs: tuple[Capability, ...]
    call: Callable[[AsyncStore], Coroutine[Any, Any, Any]]
    play: Callable[[Model], Answer]


async def _size(call: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any) -> int:
    # Not a coroutine that was made before: cancelled early, it would never be awaited.
    size: int = (await call(*args, **kwargs)).size
    return size


async def listed(store: AsyncStore, path: str) -> frozenset[str]:
    """Return the paths of all files below a folder."""
    files = await collect(store.list_files(path, recursive=True))
    return frozenset(file.path.as_posix() for file in files)


def write(path: str, content: bytes, overwrite: bool, atomic: bool, chunked: bool) -> Step:
    """Write a file, from bytes or from chunks of two."""

    def call(store: AsyncStore) -> Coroutine[Any, Any, Any]:
        parts = [content[i : i + 2] for i in range(0, len(content), 2)]
        body = Source(parts).open() if chunked else content
        method = store.write_atomic if atomic else store.write
        return _size(method, path, body, overwrite=overwrite)

    name = "write_atomic" if atomic else "write"
    return Step(
        f"{name}({path!r}, {content!r}, overwrite={overwrite}){' in chunks' if chunked else ''}",
        (C.WRITE, C.ATOMIC_WRITE) if atomic else (C.WRITE,),
        call,
        lambda m: m.write(path, content, overwrite=overwrite),
    )


def delete(path: str, missing_ok: bool) -> Step:
    """Delete a file."""
    return Step(
        f"delete({path!r}, missing_ok={missing_ok})",
        (C.DELETE,),
        lambda s: s.delete(path, missing_ok=missing_ok),
        lambda m: m.delete(path, missing_ok=missing_ok),
    )


def delete_folder(path: str, recursive: bool, missing_ok: bool) -> Step:
    """Delete a folder."""
    return Step(
        f"delete_folder({path!r}, recursive={recursive}, missing_ok={missing_ok})",
        (C.DELETE,),
        lambda s: s.delete_folder(path, recursive=recursive, missing_ok=missing_ok),
        lambda m: m.delete_folder(path, recursive=recursive, missing_ok=missing_ok),
    )


def create_folder(path: str) -> Step:
    """Make a folder."""
    return Step(
        f"create_folder({path!r})",
        (C.CREATE_FOLDER, C.WRITE),
        lambda s: s.create_folder(path),
        lambda m: m.create_folder(path),
    )


def transfer(name: str, src: str, dst: str, overwrite: bool) -> Step:
    """Move or copy a file."""
    return Step(
        f"{name}({src!r}, {dst!r}, overwrite={overwrite})",
        (C.MOVE,) if name == "move" else (C.COPY,),
        lambda s: getattr(s, name)(src, dst, overwrite=overwrite),
        lambda m: m.transfer(src, dst, overwrite=overwrite, keep=name == "copy"),
    )


def look(name: str, path: str) -> Step:
    """Read a file, ask for its size, or list what is below a path."""
    if name == "read":
        return Step(
            f"read_bytes({path!r})", (C.READ,), lambda s: s.read_bytes(path), lambda m: m.read(path)
        )
    if name == "size":
        return Step(
            f"get_file_info({path!r}).size",
            (C.METADATA,),
            lambda s: _size(s.get_file_info, path),
            lambda m: m.size(path),
        )
    return Step(
        f"list_files({path!r}, recursive=True)",
        (C.LIST,),
        lambda s: listed(s, path),
        lambda m: m.list(path),
    )


paths = st.sampled_from(PATHS)
contents = st.sampled_from(CONTENTS)
flag = st.booleans()
changes = st.one_of(
    st.builds(write, paths, contents, flag, flag, flag),
    st.builds(write, paths, contents, flag, flag, flag),
    st.builds(delete, paths, flag),
    st.builds(delete_folder, paths, flag, flag),
    st.builds(transfer, st.sampled_from(["move", "copy"]), paths, paths, flag),
)
#: Apart, since few backends can: the others would only refuse it.
folders = st.builds(create_folder, paths)
looks = st.builds(look, st.sampled_from(["read", "size", "list"]), paths)


async def difference(trial: Trial, store: AsyncStore, model: Model) -> str:
    """Return how a store differs from a model, in words; ``""`` if it does not."""
    for path in PATHS:
        is_file, is_folder = await store.is_file(path), await store.is_folder(path)
        if is_file != (path in model.files):
            return f"{path!r} is {'a' if is_file else 'no'} file"
        if is_folder != model.is_folder(path):
            return f"{path!r} is {'a' if is_folder else 'no'} folder"
        if is_file and trial.declares(C.READ):
            content = await store.read_bytes(path)
            if content != model.files[path]:
                return f"{path!r} holds {content!r} instead of {model.files[path]!r}"
    for folder in ("", "a") if trial.declares(C.LIST) else ():
        found = await listed(store, folder)
        if found != model.list(folder):
            return f"the listing of {folder!r} gives {told(found)}"
    return ""
