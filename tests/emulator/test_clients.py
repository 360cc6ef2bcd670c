"""
The life of a file through clients that other people wrote.

They are installed from the package index into an environment of their own,
which takes longer than all other tests of the emulator together.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hns_emulator import HnsEmulator

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

CLIENTS = {
    "adlfs": "adlfs==2026.8.0",
    "obstore": "obstore==0.12.1",
    "opendal": "opendal==0.47.12",
}
#: What each is told of the account, and last of all the filesystem.
ADDRESSES: dict[str, Callable[[HnsEmulator], list[str]]] = {
    "adlfs": lambda emulator: [emulator.path_style_connection_string],
    "obstore": lambda emulator: [emulator.path_style_url, emulator.account, emulator.key],
    "opendal": lambda emulator: [
        emulator.path_style_url,
        emulator.path_style_dfs_url,
        emulator.account,
        emulator.key,
    ],
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the clients."""
    folder = tmp_path_factory.mktemp("clients")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, *CLIENTS.values()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"the index gives no clients: {done.stderr.strip()[-300:]}"
    return python


@pytest.fixture
def emulator() -> Iterator[HnsEmulator]:
    """An account with the filesystem `data`."""
    emulator = HnsEmulator(debug=True)
    emulator.create_filesystem("data")
    with emulator:
        yield emulator


@pytest.mark.parametrize("client", CLIENTS)
def test_life(client: str, python: Path, emulator: HnsEmulator) -> None:
    """Create, append, rename, list, read ranges, delete: all is served, and nothing is guessed."""
    script = Path(__file__).parent / "clients" / f"life_{client}.py"
    command = [str(python), str(script), *ADDRESSES[client](emulator), "data"]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (dict(emulator.refused), dict(emulator.unverified)) == ({}, {})
    assert len(emulator.requests) > 10
