"""Two changes at the same time: every pair of calls that can meet on two paths."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

from remote_store import AlreadyExists, Capability, NotFound
from remote_store.aio import AsyncStore
from remote_store_conformance._model import Model
from remote_store_conformance._steps import (
    Step,
    agree,
    delete,
    difference,
    outcome,
    told,
    transfer,
    write,
)
from remote_store_conformance.expect import Inapplicable, Violation
from remote_store_conformance.trial import Trial

__all__ = ["run_pairs"]

C = Capability

#: Two names of which one begins like the other.
_PATHS: Final = ("a", "ab")

#: Pairs that are tried, of the hundreds that there are.
_TRIED: Final = {"in-process": 1_000, "local": 250, "emulator": 50, "live": 12}


#: Why a call with a source and a target is refused.
_REASONS: Final = (NotFound, AlreadyExists)


def _steps() -> list[Step]:
    flags = (False, True)
    found = [
        write(path, content, overwrite, atomic=False, chunked=chunked)
        for path in _PATHS
        for overwrite in flags
        for content, chunked in ((b"sixsix", True), (b"1", False))
    ]
    found += [delete(path, missing_ok) for path in _PATHS for missing_ok in flags]
    # No copies: one reads its source at one moment and writes at another, which is no defect.
    found += [
        transfer("move", src, dst, overwrite)
        for src, dst in (_PATHS, _PATHS[::-1])
        for overwrite in flags
    ]
    return found


async def run_pairs(trial: Trial) -> None:
    """
    Run pairs of calls at the same time, from every start.

    Raises:
        Violation: A pair comes out as neither of its two orders would.
        Inapplicable: Not enough is declared for a pair.
    """
    steps = [step for step in _steps() if trial.declares(*step.needs)]
    starts: list[tuple[str, ...]] = [(), *((path,) for path in _PATHS), _PATHS]
    cases = list(itertools.product(starts, itertools.combinations_with_replacement(steps, 2)))
    if not cases or not trial.declares(C.WRITE):
        msg = "the backend declares too little to change files"
        raise Inapplicable(msg)
    trial.rng.shuffle(cases)
    tried = cases[: max(10, round(_TRIED[trial.target.environment] * trial.effort))]
    for number, (start, pair) in enumerate(tried):
        store = AsyncStore(trial.backend, f"{trial.prefix}/{number}", owns_backend=False)
        model = Model(trial.target.hierarchical)
        for path in start:
            await store.write(path, b"old")
            model.write(path, b"old", overwrite=False)
        await _meet(trial, store, model, pair)
    trial.note(pairs=len(tried), of=len(cases))


def _agree(observed: Any, answer: Any) -> bool:
    # A call looks at its source at one moment and at its target at another, and
    # both reasons to refuse it may have been true in between: either is told.
    if answer in _REASONS:
        return isinstance(observed, _REASONS)
    return agree(observed, answer)


async def _meet(trial: Trial, store: AsyncStore, model: Model, pair: tuple[Step, Step]) -> None:
    calls = asyncio.gather(*(outcome(step.call(store)) for step in pair))
    observed = await trial.within(calls, f"{pair[0].text} beside {pair[1].text}")
    expected = []
    for order in ((0, 1), (1, 0)):
        after = model.copy()
        answers: dict[int, Any] = {n: pair[n].play(after) for n in order}
        serial = [answers[0], answers[1]]
        expected.append(serial)
        fits = all(map(_agree, observed, serial))
        if fits and not await difference(trial, store, after):
            return
    changed = await difference(trial, store, model)
    msg = "two calls at the same time came out as no order of them would"
    raise Violation(
        msg,
        observed=f"{' and '.join(map(told, observed))}; then: {changed or 'nothing changed'}",
        expected=" or ".join(" and ".join(map(told, serial)) for serial in expected),
        evidence={"start": sorted(model.files), "calls": [step.text for step in pair]},
    )
