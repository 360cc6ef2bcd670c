"""The one registry of operations: it is complete, true, and alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.conformance.conftest import clause_of, run_one

import remote_store_conformance
from remote_store import Capability, CapabilityNotSupported, CapabilitySet
from remote_store.aio import AsyncBackend
from remote_store_conformance.contract.trial import Trial
from remote_store_conformance.results.result import Status
from remote_store_conformance.tools.operations import (
    CHANGING,
    OPERATIONS,
    Form,
    Operation,
    declared,
)
from remote_store_conformance.tools.scenes import look, set_scene
from remote_store_conformance.tools.sources import Source
from remote_store_conformance_selftest.stand_in import StandIn

#: Members of the protocol that are no operation on the storage, or on one storage alone.
ABOUT_THE_OBJECT = {"name", "capabilities", "aclose", "unwrap", "copy_from"}
#: What answers for each path instead of raising: DEL-010, COND-007 and ACROSS-010.
ABOUT_THE_OBJECT |= {"delete_many", "copy_many_from"}


def _members() -> set[str]:
    public = {n for n, v in vars(AsyncBackend).items() if not n.startswith("_") and callable(v)}
    return public - ABOUT_THE_OBJECT


def test_every_operation_of_the_protocol_is_registered() -> None:
    """A member that the protocol gains must be registered, and is then checked everywhere."""
    assert {op.method for op in OPERATIONS if op.method} == _members()


def test_names_tell_operations_apart() -> None:
    """Each operation has a name of its own, since messages show nothing else."""
    assert len({op.name for op in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("op", OPERATIONS, ids=str)
def test_an_operation_does_what_its_entry_says(op: Operation) -> None:
    """On a correct backend each call leaves the effect of its entry, or raises what it refuses."""

    async def check(t: Trial) -> None:
        scene, source = await set_scene(t, op), Source()
        refuses = op.refuses if op.lacks(t) is None else CapabilityNotSupported
        if refuses is None:
            await op.perform(t.store, scene, source)
        else:
            with pytest.raises(refuses):
                await op.perform(t.store, scene, source)

        assert await look(t, scene) == op.after(scene, source.data)
        # What makes a folder changes no file.
        leaves_files = op.form not in CHANGING or op.form is Form.FOLDER or op.refuses is not None
        assert (op.after(scene, source.data) == scene.state) == leaves_files

    assert run_one(clause_of(check)).status is Status.PASS


def test_without_files_only_questions_and_listings_are_left() -> None:
    """A target where nothing can be put is asked only what needs no file."""

    async def check(t: Trial) -> None:
        forms = {op.form for op in declared(t)}
        assert forms == {Form.QUESTION, Form.LISTING}

    looking = CapabilitySet({Capability.READ, Capability.LIST, Capability.METADATA})
    stand_in = StandIn(capabilities=looking, probe=False)

    assert run_one(clause_of(check), stand_in).status is Status.PASS


def test_no_table_of_operations_stands_beside_the_registry() -> None:
    """No literal of the kit names five operations: who means all of them walks the registry."""
    package = Path(remote_store_conformance.__file__).parent
    members, found = _members(), []
    for path in package.rglob("*.py"):
        if path.name == "operations.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.Set):
                named = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
                named |= {str(n.value) for n in ast.walk(node) if isinstance(n, ast.Constant)}
                if len(named & members) >= 5:
                    found.append(f"{path.name}:{node.lineno}: {sorted(named & members)}")

    assert found == []
