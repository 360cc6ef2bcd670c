"""
What an undeclared capability must do: refuse, by name, before anything is touched.

The calls of each capability stand here once; the CAP clauses and the engine
(for every clause whose capability is missing) both use them.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from attrs import frozen

from remote_store import Capability, CapabilityNotSupported
from remote_store.aio import AsyncStore
from remote_store_conformance.contract import GATES, Need
from remote_store_conformance.expect import Violation, expect
from remote_store_conformance.sources import Source
from remote_store_conformance.trial import Trial, collect

__all__ = [
    "RawAnswer",
    "ask_raw",
    "attempts",
    "refuse_in_store",
    "refuse_raw",
    "seeded",
    "settle_call",
    "undeclared",
]

C = Capability


@frozen
class Attempt:
    """
    One call that needs a capability.

    Args:
        text: The call, for messages.
        call: Makes the call on a store: existing file, new path, source.
        eager: It must raise at the call, without being awaited.
        raw: Name of the backend's method to call directly, or ``""``.
    """

    text: str
    call: Callable[[AsyncStore, str, str, Source], Any]
    eager: bool = False
    raw: str = ""


_META: Final = {"kit": "value"}

_ATTEMPTS: Final[dict[Capability, list[Attempt]]] = {
    C.READ: [
        Attempt("read(path)", lambda s, a, b, c: s.read(a), eager=True, raw="read"),
        Attempt("read_bytes(path)", lambda s, a, b, c: s.read_bytes(a), raw="read_bytes"),
        Attempt("read_text(path)", lambda s, a, b, c: s.read_text(a)),
    ],
    C.WRITE: [
        Attempt("write(path, source)", lambda s, a, b, c: s.write(b, c.open()), raw="write"),
        Attempt("write(path, bytes)", lambda s, a, b, c: s.write(b, b"new")),
        Attempt("write_text(path, text)", lambda s, a, b, c: s.write_text(b, "new")),
    ],
    C.ATOMIC_WRITE: [
        Attempt(
            "write_atomic(path, source)",
            lambda s, a, b, c: s.write_atomic(b, c.open()),
            raw="write_atomic",
        ),
    ],
    C.DELETE: [
        Attempt("delete(path)", lambda s, a, b, c: s.delete(a), raw="delete"),
        Attempt("delete(path, missing_ok=True)", lambda s, a, b, c: s.delete(b, missing_ok=True)),
        Attempt(
            "delete_folder(path, recursive=True)",
            lambda s, a, b, c: s.delete_folder(a.rpartition("/")[0], recursive=True),
            raw="delete_folder",
        ),
    ],
    C.LIST: [
        Attempt("list_files('')", lambda s, a, b, c: s.list_files(""), True, "list_files"),
        Attempt("list_folders('')", lambda s, a, b, c: s.list_folders(""), True, "list_folders"),
        Attempt("iter_children('')", lambda s, a, b, c: s.iter_children(""), True, ""),
        Attempt(
            "get_folder_info('', max_depth=0)",
            lambda s, a, b, c: s.get_folder_info("", max_depth=0),
        ),
    ],
    C.GLOB: [Attempt("glob('*')", lambda s, a, b, c: s.glob("*"), eager=True, raw="glob")],
    C.MOVE: [Attempt("move(src, dst)", lambda s, a, b, c: s.move(a, b), raw="move")],
    C.COPY: [Attempt("copy(src, dst)", lambda s, a, b, c: s.copy(a, b), raw="copy")],
    C.METADATA: [
        Attempt("get_file_info(path)", lambda s, a, b, c: s.get_file_info(a), raw="get_file_info"),
        Attempt("head(path)", lambda s, a, b, c: s.head(a)),
        Attempt("get_folder_info('')", lambda s, a, b, c: s.get_folder_info("")),
    ],
    C.USER_METADATA: [
        Attempt(
            "write(path, source, metadata={...})",
            lambda s, a, b, c: s.write(b, c.open(), metadata=_META),
        ),
        Attempt(
            "write_text(path, text, metadata={...})",
            lambda s, a, b, c: s.write_text(b, "new", metadata=_META),
        ),
        Attempt(
            "write_atomic(path, source, metadata={...})",
            lambda s, a, b, c: s.write_atomic(b, c.open(), metadata=_META),
        ),
    ],
}


def attempts(capability: Capability) -> list[Attempt]:
    """Return the calls that need *capability*; none for a promise of quality."""
    return _ATTEMPTS.get(capability, [])


def undeclared(trial: Trial) -> list[Capability]:
    """Return the gates that the target does not declare, in a fixed order."""
    return sorted(GATES - set(trial.survey.capabilities), key=lambda c: c.value)


async def seeded(trial: Trial) -> tuple[str, str]:
    """Return an existing file (where one can be made) in a folder, and a path that is free."""
    folder = trial.name("refusal")
    path = f"{folder}/there.txt"
    if trial.can(Need.SEED):
        await trial.seed_file(path, b"old")
    return path, f"{folder}/new.txt"


async def settle_call(answer: Awaitable[Any] | AsyncIterator[Any]) -> Any:
    """Await a coroutine, or take everything from an iterator."""
    return await answer if inspect.isawaitable(answer) else await collect(answer)


def check_error(error: CapabilityNotSupported, capability: Capability, text: str) -> None:
    """State that a refusal says what is missing, as its attribute and in its text."""
    what = f"{text} without {capability.name}"
    expect(
        error.capability == capability.value,
        f"the refusal of {what} names the wrong capability",
        observed=error.capability,
        expected=capability.value,
    )
    expect(
        capability.value in str(error),
        f"the message of the refusal of {what} does not name the capability",
        observed=str(error),
        expected=capability.value,
    )


async def refuse_in_store(trial: Trial, capability: Capability) -> None:
    """
    Check every call that needs *capability*, through a store.

    Raises:
        Violation: A call does not raise CapabilityNotSupported in time, names
            something else, touches the source or the backend, or changes
            something.
    """
    path, free = await seeded(trial)
    for attempt in attempts(capability):
        store, recorder = trial.recorded()
        source = Source()
        what = f"{attempt.text} without {capability.name}"
        async with trial.unchanged(f"by {what}"):
            error = await _refusal(attempt, capability, store, path, free, source)
        check_error(error, capability, attempt.text)
        expect(
            error.backend == trial.survey.name,
            f"the refusal of {what} does not name the backend",
            observed=error.backend,
            expected=trial.survey.name,
        )
        expect(
            source.untouched,
            f"the content was read before {what} was refused",
            observed=f"{source.pulled} chunks pulled",
            expected="0 chunks pulled",
        )
        expect(
            not recorder.calls,
            f"the backend was called before {what} was refused",
            observed=", ".join(map(str, recorder.calls)),
            expected="no call",
        )


async def _refusal(
    attempt: Attempt,
    capability: Capability,
    store: AsyncStore,
    path: str,
    free: str,
    source: Source,
) -> CapabilityNotSupported:
    what = f"{attempt.text} without {capability.name}"
    at_call = False
    try:
        answer = attempt.call(store, path, free, source)
        at_call = True
        result = await settle_call(answer)
    except CapabilityNotSupported as error:
        if attempt.eager and at_call:
            msg = f"{what} was refused on the first item, not at the call"
            raise Violation(msg, observed=str(error)) from error
        return error
    except Exception as error:
        msg = f"{what} raised the wrong exception"
        observed = f"{type(error).__name__}: {error}"
        raise Violation(msg, observed=observed, expected="CapabilityNotSupported") from error
    msg = f"{what} was not refused"
    raise Violation(msg, observed=repr(result), expected="CapabilityNotSupported")


@frozen
class RawAnswer:
    """
    What a backend did with a call that needs something it does not declare.

    Args:
        method: The backend's method.
        error: What it raised; None if it worked.
        changes: What changed in the store, in words.
        pulled: Chunks that it took from the content.
    """

    method: str
    error: Exception | None
    changes: str
    pulled: int


async def ask_raw(trial: Trial, capability: Capability) -> list[RawAnswer]:
    """Call the backend itself, without a store, with everything that needs *capability*."""
    path, free = await seeded(trial)
    methods = [a.raw for a in attempts(capability) if a.raw]
    return [
        await _ask(trial, method, path, free)
        for method in methods
        if getattr(trial.backend, method, None) is not None
    ]


async def _ask(trial: Trial, method: str, path: str, free: str) -> RawAnswer:
    source = Source()
    content = source.open()
    old, new, folder = trial.key(path), trial.key(free), trial.key(path.rpartition("/")[0])
    arguments: dict[str, tuple[Any, ...]] = {
        "write": (new, content),
        "write_atomic": (new, content),
        "delete_folder": (folder,),
        "list_files": (trial.prefix,),
        "list_folders": (trial.prefix,),
        "glob": (f"{trial.prefix}/*",),
        "move": (old, new),
        "copy": (old, new),
    }
    keywords = {"recursive": True} if method == "delete_folder" else {}
    before = await trial.snapshot()
    error = None
    try:
        call = getattr(trial.backend, method)
        await settle_call(call(*arguments.get(method, (old,)), **keywords))
    except Exception as raised:  # noqa: BLE001 - it is the answer
        error = raised
    await content.aclose()
    changes = before.difference(await trial.snapshot())
    return RawAnswer(method, error, changes, source.pulled)


async def refuse_raw(trial: Trial, capability: Capability) -> None:
    """
    Check that the backend itself does not act and then refuse.

    It may work: then it declares too little, which is a remark.

    Raises:
        Violation: It refuses after it had an effect.
    """
    for answer in await ask_raw(trial, capability):
        if answer.error is None:
            trial.advise(
                f"under-declared: {capability.name} is not in the capabilities, "
                f"but the backend's own {answer.method} works"
            )
            continue
        what = f"the backend's own {answer.method} without {capability.name}"
        expect(
            not answer.changes,
            f"{what} refuses, but acted first",
            observed=answer.changes,
            expected="a refusal without an effect",
            error=repr(answer.error),
        )
        expect(
            not answer.pulled,
            f"{what} refuses, but took from the content first",
            observed=f"{answer.pulled} chunks pulled",
            expected="0 chunks pulled",
            error=repr(answer.error),
        )
