"""Large files go through in bounded memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="reads /proc, as Linux has it"
    ),
]

PROGRAM = """
import sys
import fsspec

folder, what = sys.argv[1:]
fs = fsspec.filesystem("remote-store", store=f"local://{folder}/store")
PIECE = b"x" * (1 << 20)

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

def write(n):
    with fs.open("a", "wb") as file:
        for _ in range(n):
            file.write(PIECE)

def read(n):
    with fs.open("a") as file:
        while file.read(len(PIECE)):
            pass

def get(n):
    fs.get("a", f"{folder}/got")

def put(n):
    fs.put(f"{folder}/got", "put")

steps = {"write": [write], "read": [write, read], "get": [write, get], "put": [write, get, put]}
for step in steps[what]:
    step(8)
before = peak()
for step in steps[what]:
    step(256)
print(peak() - before)
"""


@pytest.mark.parametrize("what", ["write", "read", "get", "put"])
def test_streams_do_not_grow(what: str, tmp_path: Path) -> None:
    """256 MiB take at most 24 MiB more than 8 do."""
    command = [sys.executable, "-P", "-c", PROGRAM, str(tmp_path), what]
    # Pieces go back to the system at once: what glibc keeps of freed ones, for each
    # thread, depends on which threads a busy machine lets run, and is not held by us.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert float(done.stdout) <= 24
