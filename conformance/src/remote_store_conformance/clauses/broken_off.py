"""FAULT: answers that break off, and files of more than one part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from remote_store import Capability, RemoteStoreError
from remote_store_conformance.clauses.fault import as_good
from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.expect import Unverified, expect
from remote_store_conformance.contract.kinds import Need
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.targets.proxy import Fault, http_answer
from remote_store_conformance.tools.contents import in_parts
from remote_store_conformance.tools.crowds import Crowd, fill
from remote_store_conformance.tools.faults import broken, cut, make, needs_wire, tell_the_truth
from remote_store_conformance.tools.operations import Form, Operation, declared
from remote_store_conformance.tools.scenes import set_scene

C = Capability

#: Files of a folder, whose listing is then longer than its head.
_FILES: Final = 60

#: Requests of one call that fail, one after the other.
_REQUESTS: Final = 6


@clause(
    "FAULT-016",
    "An answer to a question or listing that breaks off is asked for again or raises; what has "
    "come of it is never taken for the whole.",
    intent="A connection breaks in the middle of an answer as often as before it.",
    needs=[Need.SEED],
    seconds=120,
)
async def half_an_answer(t: Trial) -> None:
    wire = needs_wire(t)
    scene = await set_scene(t)
    files = tuple(f"more-{n:02d}" for n in range(_FILES))
    await fill(t, Crowd(scene.folder, files))
    for op in declared(t, Form.QUESTION, Form.LISTING):
        # On a new connection, as those that will break are.
        await cut(wire)
        before = wire.read()
        good = await make(t, op, scene)
        size = (wire.read() - before).received
        for after in sorted({size // 2, size * 3 // 4, size - 1} - {0}):
            async with broken(t, Fault("truncate", after=after), always=False):
                outcome = await make(t, op, scene)
            expect(
                isinstance(outcome.error, RemoteStoreError) or as_good(good, outcome),
                f"{op} took an answer that broke off for the whole",
                observed=f"{outcome.said} (after {after} of {size} bytes)",
                expected=f"an error, or {good.said}",
            )


@clause(
    "FAULT-017",
    "A write of more than one part whose request fails, or whose answer is lost, leaves the old "
    "file or the new one, and the new one if it returned.",
    intent="The more requests a file takes, the more often one of them fails.",
    requires=[C.WRITE],
    needs=[Need.PEEK],
    seconds=240,
)
async def parts(t: Trial) -> None:
    needs_wire(t)
    content = in_parts(t)
    if content is None:
        msg = f"max_object is {t.target.max_object} bytes, less than two parts"
        raise Unverified(msg)
    faults = {
        "was answered 503": Fault("answer", answer=http_answer(503, "Server Busy")),
        "got no answer": Fault("drop-answer"),
    }
    requests = {}
    for what, fault in faults.items():
        for op in _exclusive(t):
            requests[op.name] = 0
            for number in range(1, _REQUESTS + 1):
                scene = await set_scene(t, op)
                later = evolve(fault, skip=number - 1)
                async with broken(t, later, always=False) as wire:
                    outcome = await make(t, op, scene, source=content.source())
                    hit = wire.hits
                if not hit:
                    break
                requests[op.name] = number
                told = f"{op} of {content} whose request {number} {what}"
                expect(
                    outcome.error is None or isinstance(outcome.error, RemoteStoreError),
                    f"{told} raised the wrong exception",
                    observed=outcome.said,
                    expected="BackendUnavailable",
                )
                await tell_the_truth(t, outcome, told)
    # One of each would be a file of one part.
    t.note(requests_that_failed=requests)


def _exclusive(t: Trial) -> Iterator[Operation]:
    """Yield a write of a stream, and an atomic one of bytes: each costs many parts."""
    found: dict[str, list[Operation]] = {}
    for op in declared(t, Form.WRITE):
        if op.method and op.target == "free" and not op.metadata:
            found.setdefault(op.method, []).append(op)
    for number, ops in enumerate(found.values()):
        yield ops[number % len(ops)]
