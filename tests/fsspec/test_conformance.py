"""The backend keeps the contract, as far as it declares it."""

from __future__ import annotations

import pytest
from tests.fsspec import conformance_targets

from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.choosing import choose
from remote_store_conformance.plugins.lookup import find_targets
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.results.run import Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


FEW = ["CAP", "INFO", "READ"]


@pytest.mark.parametrize(
    ("families", "verdict"),
    [
        pytest.param(FEW, Verdict.PARTIAL, id="few"),
        pytest.param([], Verdict.CONFORMANT, id="all", marks=pytest.mark.long),
    ],
)
def test_our_target_keeps_the_contract(families: list[str], verdict: Verdict) -> None:
    """No clause fails, and none is waived."""
    kit = Kit()
    kit.register(conformance_targets)
    (target,) = find_targets(kit, "fsspec:file", {})
    with Session(target, kit=kit) as session:
        run = session.run_all(choose([f"{family}-*" for family in families]))

    assert run.verdict is verdict, [r for r in run.results if r.status.name == "FAIL"]
