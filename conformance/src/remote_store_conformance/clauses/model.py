"""MODEL: random programs come out as the contract says."""

from __future__ import annotations

from remote_store_conformance.contract.clause import clause
from remote_store_conformance.contract.kinds import Level
from remote_store_conformance.contract.trial import Trial


@clause(
    "MODEL-001",
    "Programs of random calls, one after the other, give the answers and the files that the "
    "contract asks for.",
    intent="Single checks miss what only a sequence of calls brings out.",
    seconds=60,
)
def sequential(t: Trial) -> None:
    # Imported here: Hypothesis takes longer to import than the rest of the kit.
    from remote_store_conformance.programs.machine import run_programs

    run_programs(t)


@clause(
    "MODEL-002",
    "Random programs in which writes are cancelled and contents fail leave the old file or the "
    "new one.",
    intent="What a failure leaves behind shows in the calls after it.",
    seconds=60,
)
def disturbed(t: Trial) -> None:
    from remote_store_conformance.programs.machine import run_programs

    run_programs(t, disturbed=True)


@clause(
    "MODEL-003",
    "Two writes, deletes, moves or copies at the same time come out as one after the other would; "
    "only a copy, and a move without ATOMIC_MOVE, may meet the other call between their parts.",
    intent="Each call is a step of its own, whatever runs beside it.",
    level=Level.STOCHASTIC,
    seconds=60,
)
async def concurrent_pairs(t: Trial) -> None:
    from remote_store_conformance.programs.pairs import run_pairs

    await run_pairs(t)
