"""
Two changes at the same time: every pair of calls that can meet on two paths.

What the contract promises to such a pair is in `_moments`: each call acts at its
moments, whole, and gives a reason that was true at one of them. Looser rules than
that let a lost file pass; stricter ones, such as that a copy is a single moment,
are promised nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import Any, Final

from remote_store import Capability, NotFound
from remote_store.aio import AsyncStore
from remote_store_conformance.contract.expect import Inapplicable, Violation
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.programs.interleavings import (
    Interleaved,
    copying,
    deleting,
    ends,
    moving,
    writing,
)
from remote_store_conformance.programs.model import Model
from remote_store_conformance.programs.steps import agree, listed, outcome, told

__all__ = ["run_pairs"]

C = Capability

#: Two names of which one begins like the other.
_PATHS: Final = ("a", "ab")

#: Pairs that are tried, of the 1,600 that there are.
_TRIED: Final = {"in-process": 1_000, "local": 250, "emulator": 50, "live": 12}


def _calls(*, atomic: bool) -> list[Interleaved]:
    flags = (False, True)
    found = [
        writing(path, content, overwrite=overwrite, chunked=chunked)
        for path in _PATHS
        for overwrite in flags
        for content, chunked in ((b"sixsix", True), (b"1", False))
    ]
    found += [deleting(path, missing_ok=missing_ok) for path in _PATHS for missing_ok in flags]
    for src, dst in (_PATHS, _PATHS[::-1]):
        for overwrite in flags:
            found += [
                moving(src, dst, overwrite=overwrite, atomic=atomic),
                copying(src, dst, overwrite=overwrite),
            ]
    return found


async def run_pairs(trial: Trial) -> None:
    """
    Run pairs of calls at the same time, from every start.

    Raises:
        Violation: A pair comes out as no order of its moments would.
        Inapplicable: Not enough is declared for a pair.
    """
    calls = _calls(atomic=trial.declares(C.ATOMIC_MOVE))
    calls = [call for call in calls if trial.declares(*call.step.needs)]
    starts: list[tuple[str, ...]] = [(), *((path,) for path in _PATHS), _PATHS]
    # In both orders: the call that is made first is often a step ahead of the other.
    pairs = itertools.product(calls, calls)
    cases = list(itertools.product(starts, pairs))
    if not cases or not trial.declares(C.WRITE):
        msg = "the backend declares too little to change files"
        raise Inapplicable(msg)
    trial.rng.shuffle(cases)
    tried = cases[: max(10, round(_TRIED[trial.target.environment] * trial.effort))]
    for number, (start, pair) in enumerate(tried):
        store = AsyncStore(trial.backend, f"{trial.prefix}/{number}", owns_backend=False)
        model = Model(trial.target.hierarchical, trial.target.shared_names)
        for path in start:
            # Each its own, so that a file in the place of the other is noticed.
            content = f"old {path}".encode()
            await store.write(path, content)
            model.write(path, content, overwrite=False)
        await _meet(trial, store, model, pair)
    trial.note(pairs=len(tried), of=len(cases))


async def _meet(
    trial: Trial, store: AsyncStore, start: Model, pair: tuple[Interleaved, Interleaved]
) -> None:
    steps = [call.step for call in pair]
    calls = asyncio.gather(*(outcome(step.call(store)) for step in steps))
    observed = await trial.within(calls, f"{steps[0].text} beside {steps[1].text}")
    left = await _left(trial, store)
    possible = ends(start, pair)
    for end in possible:
        fits = all(
            any(agree(seen, answer) for answer in answers)
            for seen, answers in zip(observed, end.answers, strict=True)
        )
        if fits and left == _known(trial, end.model):
            return
    expected = {
        " and ".join("/".join(map(told, answers)) for answers in end.answers)
        + f", with {_known(trial, end.model)}"
        for end in possible
    }
    msg = "two calls at the same time came out as no order of them would"
    raise Violation(
        msg,
        observed=f"{' and '.join(map(told, observed))}, with {left}",
        expected=" or ".join(sorted(expected)),
        evidence={"start": sorted(start.files), "calls": [step.text for step in steps]},
    )


async def _left(trial: Trial, store: AsyncStore) -> dict[str, Any]:
    """Return the files that are there: content where it can be read, and what a listing says."""
    found: dict[str, Any] = {}
    for path in _PATHS:
        if not trial.declares(C.READ):
            found |= {path: True} if await store.is_file(path) else {}
            continue
        with contextlib.suppress(NotFound):
            found[path] = await store.read_bytes(path)
    if trial.declares(C.LIST):
        found["listed"] = sorted(await listed(store, ""))
    return found


def _known(trial: Trial, model: Model) -> dict[str, Any]:
    """Return what `_left` has to find where the files are those of a model."""
    read = trial.declares(C.READ)
    found: dict[str, Any] = {path: model.files[path] if read else True for path in model.files}
    if trial.declares(C.LIST):
        found["listed"] = sorted(model.files)
    return found
