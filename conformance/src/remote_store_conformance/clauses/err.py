"""ERR: what an error says, whichever operation raised it."""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from attrs import frozen

from remote_store import Capability, RemoteStoreError
from remote_store_conformance.contract import Need, Trait, clause
from remote_store_conformance.expect import Inapplicable, Violation, expect
from remote_store_conformance.refusal import settle_call
from remote_store_conformance.trial import Trial

C = Capability

#: What a call of a store returns.
Answer = Awaitable[Any] | AsyncIterator[Any]


@frozen
class _Failing:
    """
    A call that must fail.

    Args:
        text: The call, for messages.
        names: Paths that its error may be about.
        call: Makes the call.
    """

    text: str
    names: tuple[str, ...]
    call: Callable[[], Answer]


def _malformed(t: Trial) -> list[_Failing]:
    """Return calls of the backend itself with keys that are none."""
    keys = [f"{t.prefix}/../up", f"/{t.prefix}"]
    return [
        _Failing("the backend's exists(malformed key)", (key,), partial(t.backend.exists, key))
        for key in keys
    ]


def _on_nothing(t: Trial) -> list[_Failing]:
    """Return declared calls that need a file, and find none."""
    s, path = t.store, t.name("missing")
    calls: dict[C, dict[str, Callable[[], Answer]]] = {
        C.READ: {"read": lambda: s.read(path), "read_bytes": lambda: s.read_bytes(path)},
        C.METADATA: {
            "get_file_info": lambda: s.get_file_info(path),
            "get_folder_info": lambda: s.get_folder_info(path),
        },
        C.DELETE: {
            "delete": lambda: s.delete(path),
            "delete_folder": lambda: s.delete_folder(path),
        },
        C.MOVE: {"move": lambda: s.move(path, t.name())},
        C.COPY: {"copy": lambda: s.copy(path, t.name())},
    }
    return [
        _Failing(f"{name}(missing path)", (path,), call)
        for capability, named in calls.items()
        if t.declares(capability)
        for name, call in named.items()
    ]


async def _on_something(t: Trial) -> list[_Failing]:
    """Return declared calls that meet a file or a folder where they must not."""
    s, file, other = t.store, t.name("file"), t.name("other")
    folder = t.name("folder")
    inner = f"{folder}/inner"
    for path in (file, other, inner):
        await t.seed_file(path)
    calls: dict[C, dict[str, tuple[str, Callable[[], Answer]]]] = {
        C.READ: {
            "read_bytes(folder)": (folder, lambda: s.read_bytes(folder)),
            "read(path through a file)": (f"{file}/x", lambda: s.read(f"{file}/x")),
        },
        C.METADATA: {
            "get_file_info(folder)": (folder, lambda: s.get_file_info(folder)),
            "get_folder_info(file)": (file, lambda: s.get_folder_info(file)),
        },
        C.WRITE: {"write(existing file)": (file, lambda: s.write(file, b"new"))},
        C.DELETE: {
            "delete(folder)": (folder, lambda: s.delete(folder)),
            "delete_folder(file)": (file, lambda: s.delete_folder(file)),
            "delete_folder(folder with files)": (folder, lambda: s.delete_folder(folder)),
        },
        C.MOVE: {
            "move(file, existing file)": (file, lambda: s.move(file, other)),
            "move(folder, path)": (folder, lambda: s.move(folder, t.name())),
        },
        C.COPY: {
            "copy(file, existing file)": (file, lambda: s.copy(file, other)),
            "copy(folder, path)": (folder, lambda: s.copy(folder, t.name())),
        },
    }
    if t.declares(C.WRITE, C.ATOMIC_WRITE):
        atomic = {"write_atomic(existing file)": (file, lambda: s.write_atomic(file, b"new"))}
        calls[C.ATOMIC_WRITE] = {**atomic}
    if t.declares(C.WRITE) and t.is_a(Trait.EXCLUSIVE):
        calls[C.WRITE] |= {
            "write(folder)": (folder, lambda: s.write(folder, b"new")),
            "write(path under a file)": (f"{file}/x", lambda: s.write(f"{file}/x", b"new")),
        }
    return [
        _Failing(text, (path, other, file), call)
        for capability, named in calls.items()
        if t.declares(capability)
        for text, (path, call) in named.items()
    ]


async def _failures(t: Trial) -> list[tuple[_Failing, Exception]]:
    """Make every call that must fail, and return what it raised."""
    failing = _malformed(t) + _on_nothing(t)
    if t.can(Need.SEED):
        failing += await _on_something(t)
    found = []
    for one in failing:
        try:
            await settle_call(one.call())
        except Exception as error:  # noqa: BLE001 - it is what is looked at
            found.append((one, error))
        else:
            msg = f"{one.text} raised nothing"
            raise Violation(msg, expected="an error")
    t.note(errors=len(found))
    return found


@clause(
    "ERR-001",
    "Every error of an operation is a RemoteStoreError; no class of a library or of the system "
    "ever comes out.",
    intent="A program must not know which library is behind a store.",
)
async def only_ours(t: Trial) -> None:
    for one, error in await _failures(t):
        expect(
            isinstance(error, RemoteStoreError),
            f"an exception that is no RemoteStoreError came out of {one.text}",
            observed=f"{type(error).__module__}.{type(error).__qualname__}: {error}",
            expected="a RemoteStoreError",
        )


async def _errors(t: Trial) -> list[tuple[_Failing, RemoteStoreError]]:
    """As `_failures`, without those that ERR-001 is about."""
    return [(f, e) for f, e in await _failures(t) if isinstance(e, RemoteStoreError)]


@clause(
    "ERR-002",
    "An error of a backend carries the path that it is about and the backend's name.",
    intent="Handlers decide by these attributes, not by parsing messages.",
)
async def path_and_backend(t: Trial) -> None:
    for one, error in await _errors(t):
        allowed = {*one.names, *(t.key(name) for name in one.names)}
        expect(
            error.path in allowed,
            f"the {type(error).__name__} of {one.text} has not the path that it is about",
            observed=error.path,
            expected=t.key(one.names[0]),
        )
        expect(
            error.backend == t.survey.name,
            f"the {type(error).__name__} of {one.text} has not the backend's name",
            observed=error.backend,
            expected=t.survey.name,
        )


@clause(
    "ERR-003",
    "An error survives pickling and copying with its class, message, path and backend, and its "
    "repr names its class.",
    intent="Worker processes hand errors to their parents, and logs show the repr.",
)
async def pickles(t: Trial) -> None:
    ways: dict[str, Callable[[RemoteStoreError], Any]] = {
        "pickled": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own bytes
        "copied": copy.copy,
    }
    for one, error in await _errors(t):
        name = type(error).__name__
        for way, make in ways.items():
            try:
                again = make(error)
            except Exception as broken:
                msg = f"the {name} of {one.text} cannot be {way}"
                observed = f"{type(broken).__name__}: {broken}"
                raise Violation(msg, observed=observed, expected="an equal error") from broken
            before = (type(error), str(error), error.path, error.backend)
            after = (type(again), str(again), again.path, again.backend)
            expect(
                before == after,
                f"the {name} of {one.text} changes when it is {way}",
                observed=after,
                expected=before,
            )
        expect(
            name in repr(error),
            f"the repr of the error of {one.text} does not name its class",
            observed=repr(error),
            expected=name,
        )


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextlib.contextmanager
def _logged() -> Iterator[list[str]]:
    records, root = _Records(), logging.getLogger()
    level = root.level
    root.addHandler(records)
    root.setLevel(logging.DEBUG)
    try:
        yield records.texts
    finally:
        root.setLevel(level)
        root.removeHandler(records)


@clause(
    "ERR-004",
    "No error, repr, plan or log record contains a secret of the backend.",
    intent="Messages end in logs and tickets, which more people read than may know the key.",
)
async def no_secrets(t: Trial) -> None:
    if not t.target.secrets:
        msg = "the target names no secrets"
        raise Inapplicable(msg)
    with _logged() as logged:
        backend = await t.open_backend()
        texts = {
            "the backend's repr": repr(backend),
            "the backend's str": str(backend),
            "the store's repr": repr(t.store),
            "resolve": repr(t.store.resolve("some/path")),
        }
        for one, error in await _failures(t):
            texts[f"the error of {one.text}"] = f"{error!r} {vars(error)!r}"
            # With all causes and notes, as a log with a traceback shows them.
            texts[f"the traceback of {one.text}"] = "".join(traceback.format_exception(error))
    texts |= {f"log record {n}": text for n, text in enumerate(logged)}
    for where, text in texts.items():
        for number, secret in enumerate(t.target.secrets):
            expect(
                secret not in text,
                f"a secret of the target (number {number + 1}) stands in {where}",
                expected="a mask such as '***'",
            )


@clause(
    "ERR-005",
    "The message of an error contains the path that it is about.",
    intent="Whoever reads the log of ten thousand uploads wants to know which one failed.",
)
async def message_names_the_path(t: Trial) -> None:
    for one, error in await _errors(t):
        said = str(error)
        expect(
            any(name in said for name in one.names),
            f"the message of the {type(error).__name__} of {one.text} does not contain the path",
            observed=said,
            expected=one.names[0],
        )


@clause(
    "ERR-006",
    "An error that was made from another exception keeps it as its cause.",
    intent="Request ids, codes and the reason itself are in the native exception.",
)
async def cause_kept(t: Trial) -> None:
    for one, error in await _errors(t):
        hidden = error.__context__
        if hidden is None or error.__cause__ is not None:
            continue
        expect(
            False,
            f"the {type(error).__name__} of {one.text} was made from another exception, which is "
            "not its __cause__",
            observed=f"{type(hidden).__name__}: {hidden}",
            expected="raise ... from error",
        )
