"""The plugin keeps the contract on moto; `make conform` checks the rest of it."""

from __future__ import annotations

import pytest
from tests.s3 import conformance_targets
from tests.s3.moto import Moto

from remote_store_conformance.engine.session import Session
from remote_store_conformance.front.choosing import choose
from remote_store_conformance.plugins.lookup import find_targets
from remote_store_conformance.plugins.manager import Kit
from remote_store_conformance.results.result import Status
from remote_store_conformance.results.run import Verdict

pytestmark = pytest.mark.slow

FEW = ["CAP", "READ", "DEL"]
#: Without the families that seed thousands of files or race for a long time.
QUICK = [*FEW, "WRITE", "INFO", "MOVE", "COPY", "ACROSS", "COND", "META", "HEADERS", "NATIVE"]
QUICK += ["URL", "ERR", "FAULT"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "families",
    [pytest.param(FEW, id="few"), pytest.param(QUICK, id="quick", marks=pytest.mark.long)],
)
def test_our_target_keeps_the_contract(families: list[str], moto: Moto) -> None:
    """No clause of the families fails, and none is waived or left unverified."""
    kit = Kit()
    kit.register(conformance_targets)
    (target,) = find_targets(kit, "s3:moto", {"moto": moto.url})
    with Session(target, kit=kit) as session:
        run = session.run_all(choose([f"{family}-*" for family in families]))

    assert run.verdict is Verdict.PARTIAL, [r for r in run.results if r.status.name == "FAIL"]


@pytest.mark.timeout(120)
def test_it_copies_from_another_bucket(moto: Moto) -> None:
    """By the service, without the content; all but copies of many in one call applies here."""
    kit = Kit()
    kit.register(conformance_targets)
    (target,) = find_targets(kit, "s3:moto", {"moto": moto.url})
    with Session(target, kit=kit) as session:
        run = session.run_all(choose(["ACROSS-*"]))

    many = {f"ACROSS-{number:03}": Status.INAPPLICABLE for number in (10, 11, 12, 14)}
    assert {r.clause.id: r.status for r in run.results if r.status is not Status.PASS} == many
