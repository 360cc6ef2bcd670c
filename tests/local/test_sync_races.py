"""Of any number of threads that create one key with the sync backend exactly one succeeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.local.conftest import litter
from tests.local.test_exclusive import check_then_act
from tests.sync.twins import KINDS, race

from remote_store_local import LocalBackend, _transfer
from remote_store_local._fs import temp_file

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


@pytest.mark.parametrize("rounds", [5, pytest.param(30, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
def test_one_of_many_threads_wins(root: Path, kind: str, rounds: int) -> None:
    """Of 16 threads that create one key exactly one succeeds (WRITE-004)."""
    race(LocalBackend(root, fsync="never"), kind, rounds)
    assert litter(root) == []


@pytest.mark.parametrize(
    "kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.long) for kind in KINDS[1:])]
)
def test_check_then_act_fails_the_race(
    root: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same race catches a backend that looks first and acts afterwards."""
    monkeypatch.setattr(temp_file, "rename_exclusive", check_then_act)
    monkeypatch.setattr(_transfer, "rename_exclusive", check_then_act)
    with pytest.raises(AssertionError, match=r"(?:[2-9]|1\d) succeeded"):
        race(LocalBackend(root, fsync="never"), kind, 200)
