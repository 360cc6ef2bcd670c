"""The registry of clauses, and what checks say."""

from __future__ import annotations

import re

import pytest

from remote_store_conformance.clauses import all_clauses, find
from remote_store_conformance.contract.clause import Clause, clause
from remote_store_conformance.contract.expect import Hang, Violation, expect, raises
from remote_store_conformance.contract.kinds import FAMILIES, Level


def test_ids_are_unique_and_ordered_by_family() -> None:
    """Every id is there once, and families come in the order of reports."""
    clauses = all_clauses()
    ids = [c.id for c in clauses]
    order = [list(FAMILIES).index(c.family) for c in clauses]

    assert len(set(ids)) == len(ids) >= 20
    assert order == sorted(order)


def test_an_id_is_never_used_twice() -> None:
    """A second clause with an id that is taken is an error."""
    with pytest.raises(ValueError, match=re.escape("CAP-001 is used twice")):
        clause("CAP-001", "It holds.", intent="Why.")(lambda t: None)


@pytest.mark.parametrize("name", ["WRITE-4", "write-004", "NOPE-001", "WRITE-0004", "WRITE"])
def test_an_id_is_a_known_family_and_three_digits(name: str) -> None:
    """A malformed id is an error."""
    with pytest.raises(ValueError, match="clause id"):
        Clause(id=name, text="It holds.", intent="Why.")


@pytest.mark.parametrize("text", ["It holds", "It\nholds."])
def test_a_rule_is_one_sentence(text: str) -> None:
    """Text and intent are one line each that ends with a full stop."""
    with pytest.raises(ValueError, match="full stop"):
        Clause(id="WRITE-998", text=text, intent="Why.")


def test_only_untested_rules_have_no_check() -> None:
    """A rule without a check says so by its level."""
    for found in all_clauses():
        assert (found.check is None) == (found.level is Level.UNTESTED), found.id


def test_find_names_the_way_to_the_list() -> None:
    """An unknown id is an error that says where the known ones are."""
    with pytest.raises(KeyError, match="list"):
        find("WRITE-997")


def test_expect_carries_what_was_seen() -> None:
    """A violation holds message, observation, expectation and evidence."""
    with pytest.raises(Violation) as caught:
        expect(False, "the sizes differ", observed=3, expected=4, path="a")

    assert str(caught.value) == "the sizes differ; observed: 3; expected: 4"
    assert caught.value.evidence == {"path": "a"}


def test_raises_accepts_the_right_error_only() -> None:
    """Nothing, another error and an error without the text are violations; hangs pass through."""
    with raises(KeyError, "when asked") as caught:
        raise KeyError("x")
    assert caught.error.args == ("x",)

    with (
        pytest.raises(Violation, match="nothing was raised when asked"),
        raises(KeyError, "when asked"),
    ):
        pass
    with pytest.raises(Violation, match="wrong exception"), raises(KeyError, "when asked"):
        raise ValueError("x")
    with (
        pytest.raises(Violation, match="does not name"),
        raises(KeyError, "when asked", contains="y"),
    ):
        raise KeyError("x")
    with pytest.raises(Hang), raises(KeyError, "when asked"):
        raise Hang("x")
