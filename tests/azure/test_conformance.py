"""The targets of the plugin keep the contract; `make conform` checks the rest of it."""

from __future__ import annotations

import pytest
from tests.azure import conformance_targets
from tests.azure.azurite import Azurite

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
QUICK += ["URL", "ERR", "FAULT", "FOLDER"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "families",
    [pytest.param(FEW, id="few"), pytest.param(QUICK, id="quick", marks=pytest.mark.long)],
)
@pytest.mark.parametrize("name", ["azure:azurite", "azure:hns"])
def test_our_targets_keep_the_contract(name: str, families: list[str], azurite: Azurite) -> None:
    """No clause of the quick families fails, and none is waived or left unverified."""
    kit = Kit()
    kit.register(conformance_targets)
    (target,) = find_targets(kit, name, {"azurite": azurite.connection_string})
    with Session(target, kit=kit) as session:
        run = session.run_all(choose([f"{family}-*" for family in families]))

    assert run.verdict is Verdict.PARTIAL


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["azure:azurite", "azure:hns"])
def test_they_copy_from_another_container(name: str, azurite: Azurite) -> None:
    """By the service, without the content; all but copies of many in one call applies here."""
    kit = Kit()
    kit.register(conformance_targets)
    (target,) = find_targets(kit, name, {"azurite": azurite.connection_string})
    with Session(target, kit=kit) as session:
        run = session.run_all(choose(["ACROSS-*"]))

    many = {f"ACROSS-{number:03}": Status.INAPPLICABLE for number in (10, 11, 12, 14)}
    assert {r.clause.id: r.status for r in run.results if r.status is not Status.PASS} == many
