"""The self-test of the conformance kit, where kit and self-test come from wheels."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.packaging.conftest import Environment

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_kit_alone_says_what_to_install_and_then_proves_itself(
    dist: Path, shelf: Path, new_environment: Callable[[], Environment]
) -> None:
    """Without its distribution the command is wrong usage; with it the installed kit is right."""
    environment = new_environment()
    places = ("--no-index", "--find-links", dist, "--find-links", shelf)

    def self_test() -> subprocess.CompletedProcess[str]:
        script = environment.python.with_name("remote-store-conform")
        return subprocess.run(
            # How a plugin is packaged, and what is done in other processes.
            [script, "self-test", "-k", "[PC][KO][GN]*-00[37]"],
            cwd=environment.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    environment.pip("install", "--quiet", *places, "remote-store-conformance")
    done = self_test()
    told = "remote-store-conform: the self-test is not installed: pip install "
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{told}remote-store-conformance-selftest\n"

    environment.pip("install", "--quiet", *places, "remote-store-conformance-selftest")
    done = self_test()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "reference installed, PKG-003 to " in done.stdout
    assert "ok   PKG-003 heavy-import" in done.stdout
    assert "ok   CONC-007 " in done.stdout
    assert done.stdout.endswith(" 0 problems\n")
