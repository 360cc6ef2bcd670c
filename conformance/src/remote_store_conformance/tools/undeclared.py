"""
What an undeclared capability must do: refuse, by name, before anything is touched.

The CAP clauses and the engine (for every clause whose capability is missing)
both use it.
"""

from __future__ import annotations

from attrs import frozen

from remote_store import Capability, CapabilityNotSupported
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.expect import Violation, expect
from remote_store_conformance.contract.kinds import GATES
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.tools.operations import (
    OPERATIONS,
    OPTIONS,
    Operation,
    Scene,
    settle_call,
)
from remote_store_conformance.tools.scenes import repair, set_scene
from remote_store_conformance.tools.sources import Source

__all__ = [
    "RawAnswer",
    "ask_raw",
    "refuse_in_store",
    "refuse_raw",
    "undeclared",
]


def undeclared(trial: Trial) -> list[Capability]:
    """Return the gates that the target does not declare, in a fixed order."""
    return sorted(GATES - set(trial.survey.capabilities), key=lambda c: c.value)


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
    Check every call that a store refuses for want of *capability*.

    Raises:
        Violation: A call does not raise CapabilityNotSupported in time, names
            something else, touches the source or the backend, or changes
            something.
    """
    scene = await set_scene(trial)
    for op in (*OPERATIONS, *OPTIONS):
        if op.lacks(trial) is not capability:
            continue
        store, recorder = trial.recorded()
        source = Source()
        what = f"{op} without {capability.name}"
        async with trial.unchanged(f"by {what}"):
            error = await _refusal(op, what, store, scene, source)
        check_error(error, capability, op.name)
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
    op: Operation, what: str, store: AsyncStore, scene: Scene, source: Source
) -> CapabilityNotSupported:
    at_call = False
    try:
        answer = op.call(store, scene, source)
        at_call = True
        result = await settle_call(answer)
    except CapabilityNotSupported as error:
        if op.eager and at_call:
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
        call: The call of the backend.
        error: What it raised; None if it worked.
        changes: What changed in the store, in words.
        pulled: Chunks that it took from the content.
        lacking: What it needs and the backend does not declare.
    """

    call: str
    error: Exception | None
    changes: str
    pulled: int
    lacking: frozenset[Capability]


async def ask_raw(trial: Trial, capability: Capability) -> list[RawAnswer]:
    """Call the backend itself, without a store, with everything that needs *capability*."""
    scene = await set_scene(trial)
    found = []
    for op in OPERATIONS:
        if op.direct(trial) and op.needs[:1] == (capability,):
            found.append(await _ask(trial, op, scene))
            await repair(trial, scene, op.effect(scene, b""))
            scene = scene.with_path("free", trial.name("free"))
    return found


async def _ask(trial: Trial, op: Operation, scene: Scene) -> RawAnswer:
    source = Source()
    before = await trial.snapshot()
    error = None
    try:
        await op.perform(trial.backend, scene.through(trial.key), source)
    except Exception as raised:  # noqa: BLE001 - it is the answer
        error = raised
    changes = before.difference(await trial.snapshot())
    lacking = frozenset(c for c in op.needs if not trial.declares(c))
    return RawAnswer(op.name, error, changes, source.pulled, lacking)


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
                f"but the backend's own {answer.call} works"
            )
            continue
        what = f"the backend's own {answer.call} without {capability.name}"
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
