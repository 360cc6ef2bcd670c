"""ERR: what an error says, whichever operation raised it."""

from __future__ import annotations

import contextlib
import copy
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from remote_store import RemoteStoreError
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Inapplicable, Violation, expect
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.operations import Operation, Scene, declared
from remote_store_conformance.tools.scenes import Wrong, set_scene, wrong_scenes
from remote_store_conformance.tools.sources import Source

#: An operation that failed, as the paths its error may be about, and what it raised.
Failure = tuple[Wrong, Exception]


async def _failures(t: Trial) -> list[Failure]:
    """
    Make every declared call with paths that it must refuse, and return what it raised.

    Whether it must raise is the matter of other clauses.
    """
    found: list[Failure] = []
    for op in declared(t):
        for api, scenes in await _scenes(t, op):
            for wrong in scenes:
                try:
                    await op.perform(api, wrong.scene, Source())
                except Exception as error:  # noqa: BLE001 - it is what is looked at
                    found.append((wrong, error))
    t.note(errors=len(found))
    if not found:
        msg = "no call failed, so there was no error to look at"
        raise Violation(msg, expected="NotFound or InvalidPath where nothing is there")
    return found


async def _scenes(t: Trial, op: Operation) -> list[tuple[Any, list[Wrong]]]:
    scene = await set_scene(t)
    wrong = list(wrong_scenes(t, op, scene))
    if op.refuses:
        wrong.append(Wrong(op.name, scene, op.paths(scene)))
    return [(t.store, wrong), (t.backend, _malformed(t, op, scene))]


def _malformed(t: Trial, op: Operation, scene: Scene) -> list[Wrong]:
    """Return scenes for the backend itself with keys that are none."""
    # Patterns are refused by the core's matcher, which knows of no backend.
    if not op.direct(t) or op.method == "glob":
        return []
    keys, found = scene.through(t.key), []
    for name in op.uses:
        for key in (f"{t.prefix}/../up", f"/{t.prefix}"):
            bad = keys.with_path(name, key)
            what = f"the backend's {op} with a malformed {op.role(name)}"
            found.append(Wrong(what, bad, (key, *op.paths(bad))))
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
            f"an exception that is no RemoteStoreError came out of {one.what}",
            observed=f"{type(error).__module__}.{type(error).__qualname__}: {error}",
            expected="a RemoteStoreError",
        )


async def _errors(t: Trial) -> list[tuple[Wrong, RemoteStoreError]]:
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
            f"the {type(error).__name__} of {one.what} has not the path that it is about",
            observed=error.path,
            expected=t.key(one.names[0]),
        )
        expect(
            error.backend == t.survey.name,
            f"the {type(error).__name__} of {one.what} has not the backend's name",
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
                msg = f"the {name} of {one.what} cannot be {way}"
                observed = f"{type(broken).__name__}: {broken}"
                raise Violation(msg, observed=observed, expected="an equal error") from broken
            before = (type(error), str(error), error.path, error.backend)
            after = (type(again), str(again), again.path, again.backend)
            expect(
                before == after,
                f"the {name} of {one.what} changes when it is {way}",
                observed=after,
                expected=before,
            )
        expect(
            name in repr(error),
            f"the repr of the error of {one.what} does not name its class",
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
            texts[f"the error of {one.what}"] = f"{error!r} {vars(error)!r}"
            # With all causes and notes, as a log with a traceback shows them.
            texts[f"the traceback of {one.what}"] = "".join(traceback.format_exception(error))
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
    intent="The reader of a log of ten thousand uploads wants to know which one failed.",
)
async def message_names_the_path(t: Trial) -> None:
    for one, error in await _errors(t):
        said = str(error)
        expect(
            any(name in said for name in one.names),
            f"the message of the {type(error).__name__} of {one.what} does not contain the path",
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
            f"the {type(error).__name__} of {one.what} was made from another exception, which is "
            "not its __cause__",
            observed=f"{type(hidden).__name__}: {hidden}",
            expected="raise ... from error",
        )
