"""`sweep`: backends remove what killed writers have left, nothing else is touched."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from remote_store import ResourceLocked, register_backend, unregister_backend
from remote_store_local._fs import sweep as local_sweep
from remote_store_memory import AsyncMemoryBackend

if TYPE_CHECKING:
    from tests.cli.conftest import Cli


class Sweeping(AsyncMemoryBackend):
    """``sweeping://HOST/ROOT``: a backend whose store begins below its root."""

    asked: ClassVar[list[tuple[str, timedelta]]] = []

    @classmethod
    def from_url(cls, url: str, **options: Any) -> tuple[Sweeping, str]:
        return cls(), url.partition("://")[2].partition("/")[2]

    async def sweep(self, path: str = "", *, older_than: timedelta = timedelta(days=1)) -> int:
        self.asked.append((path, older_than))
        if path.endswith("locked"):
            msg = "cannot be swept"
            raise ResourceLocked(msg, path=path)
        return 2


@pytest.fixture
def asked() -> Iterator[list[tuple[str, timedelta]]]:
    register_backend("sweeping", Sweeping)
    Sweeping.asked.clear()
    yield Sweeping.asked
    unregister_backend("sweeping")


def test_the_backend_gets_its_own_path(cli: Cli, asked: list[tuple[str, timedelta]]) -> None:
    """The root of the store is part of it, and the age is passed on."""
    result = cli("sweep", "sweeping://h/a/b", "sweeping://h/c/", "--older-than", "36h")

    assert asked == [("a/b", timedelta(hours=36)), ("c", timedelta(hours=36))]
    assert result.stderr.splitlines()[0] == "sweeping://h/a/b: removed 2 leftovers"


def test_a_failure_keeps_no_other_from_being_swept(
    cli: Cli, asked: list[tuple[str, timedelta]]
) -> None:
    """It is told, and the exit code is 1."""
    result = cli("sweep", "--json", "sweeping://h/a/locked", "sweeping://h/a/b", code=1)

    first, second = json.loads(result.stdout)
    assert (first["error"], second["removed"]) == ("a/locked: cannot be swept", 2)
    assert len(asked) == 2


def test_temporary_files_of_this_machine(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are old go, files stay."""
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("d/.~tmp.left").write_bytes(b"")
    Path("d/file").write_bytes(b"")
    assert cli("sweep", "d").stderr == "d: removed 0 leftovers\n"
    monkeypatch.setattr(local_sweep, "now", lambda: time.time() + 48 * 3600)
    dry = cli("sweep", "--dry-run", "d")
    shown = json.loads(cli("sweep", "--dry-run", "--json", "d").stdout)

    result = cli("sweep", "-v", "d")

    assert dry.stdout == f"delete  {'-':>10}  d/.~tmp.left\n"
    assert dry.stderr == "dry run: 1 leftover; nothing was done\n"
    assert shown == [{"action": "delete", "target": "d/.~tmp.left"}]
    assert result.stderr == "removed  d/.~tmp.left\nd: removed 1 leftover\n"
    assert os.listdir("d") == ["file"]
    told = cli("sweep", "--older-than", "1h", "d", code=2).stderr
    assert "leave out --older-than" in told


def test_a_store_that_cannot_only_look(cli: Cli, asked: list[tuple[str, timedelta]]) -> None:
    """It is not asked to remove instead."""
    assert "leave out --dry-run" in cli("sweep", "-n", "sweeping://h/a", code=2).stderr
    assert asked == []


def test_a_store_that_leaves_nothing(cli: Cli) -> None:
    """Memory dies with its process."""
    assert "nothing to be swept" in cli("sweep", "memory:///x", code=2).stderr
